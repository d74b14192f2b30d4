package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func newCheckpoint(c *cli) *cobra.Command {
	var key bool
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Print the log's newest signed checkpoint, to be kept elsewhere",
		Long: `Print the newest checkpoint: the log's size and root hash, signed by the log
(C2SP tlog-checkpoint). Kept where whoever runs the log can't get at it, it shows
later whether the log still has what it had then: auditlb verify --checkpoint.`,
		Example: `  auditlb checkpoint > checkpoints/$(date +%F)
  auditlb checkpoint --key > log.pub
  auditlb checkpoint -o json`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			log, err := cl.LogHistory("").Log(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(cmd, log, func(out io.Writer) {
				if key {
					fmt.Fprintln(out, log.PublicKey)
					return
				}
				fmt.Fprint(out, log.Checkpoint)
			})
		},
	}
	cmd.Flags().BoolVar(&key, "key", false, "print the log's public key instead: its own word, to be compared with one from a place that you trust")
	return cmd
}

func newProof(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "proof SEQ",
		Short: "Print a proof that an entry is in the log",
		Long: `Print a proof (C2SP tlog-proof): the entry with its body, the path from its hash
to a signed checkpoint, and the checkpoint. It stands by itself: auditlb verify
FILE checks it offline, with nothing but the log's public key.`,
		Example: `  auditlb proof 42 > change.tlog-proof
  auditlb verify --public-key log.pub change.tlog-proof`,
		Args: exactly(1, "one entry's seq"),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := parseSeq(args[0])
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			proof, err := cl.Proof(cmd.Context(), seq)
			if err != nil {
				return err
			}
			return c.print(cmd, api.EntryProof{Seq: seq, Proof: string(proof)}, func(out io.Writer) { _, _ = out.Write(proof) })
		},
	}
}
