package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
)

func newLog(c *cli) *cobra.Command {
	return group("log", "Show the log's identity, change its key, go on after a restore", newLogShow(c), newLogRotateKey(c), newLogRestart(c))
}

func newLogShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Show the log's name, key, size, changes of key and restarts",
		Example: `  auditlb log show`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			log, err := cl.LogHistory("").Log(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(cmd, log, func(out io.Writer) { printLog(out, log) })
		},
	}
}

func printLog(out io.Writer, log *api.Log) {
	cosigned := "nothing"
	if cp, err := audit.ReadCheckpoint([]byte(log.Cosigned)); err == nil {
		cosigned = fmt.Sprintf("%d entries", cp.Size)
	}
	fields(out, "origin", log.Origin, "public key", log.PublicKey, "entries", fmt.Sprint(log.Size), "root", log.Root,
		"cosigned by enough witnesses", cosigned, "changes of key", fmt.Sprint(len(log.Rotations)))
	if len(log.Witnesses) > 0 {
		rows := make([][]string, 0, len(log.Witnesses))
		for _, w := range log.Witnesses {
			rows = append(rows, []string{w.Name, dash(w.Result), optionalSeq(w.Size), at(w.CosignedAt), first(w.Alarm, w.Detail)})
		}
		fmt.Fprintln(out)
		columns(out, []string{"WITNESS", "RESULT", "COSIGNED", "AT", ""}, rows)
	}
	if log.WitnessAlarm {
		fmt.Fprintln(out, "ALARM: a witness says that the log was rewritten or rolled back.")
	}
	for _, r := range log.Restarts {
		fmt.Fprintf(out, "restarted in entry %d at %s by %s, as %s after %s: %s\n", r.Seq, at(r.Time), r.Actor, r.Origin, r.PreviousOrigin, r.Reason)
	}
}

func newLogRotateKey(c *cli) *cobra.Command {
	var config, reason string
	cmd := &cobra.Command{
		Use:   "rotate-key --config FILE --reason TEXT",
		Short: "Change the key that signs the log's checkpoints",
		Long: `Make a new signing key for the log of a runtime that is not running. An entry
names it, and both keys sign the checkpoint that has the entry: whoever trusts
the old key can follow, as proofs, bundles and Terraform do by themselves. The old
private key is gone afterwards.

Give the new public key to witnesses, and to whoever pins it, before or soon
after: a witness that knows only the old one cosigns nothing more.`,
		Example: `  auditlb log rotate-key --config /etc/auditlb/auditlb.hcl --reason "yearly rotation, CHG-1042"`,
		Args:    exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.changeKey(cmd, config, reason, func(cfg daemon.Config) (daemon.KeyChange, error) {
				return daemon.RotateLogKey(cmd.Context(), cfg, reason)
			}, "The log's key was changed in entry %d. Its public key is now:\n%s\n")
		},
	}
	reasonFlags(cmd, &config, &reason)
	return cmd
}

func newLogRestart(c *cli) *cobra.Command {
	var config, previousKey string
	var r daemon.Restart
	cmd := &cobra.Command{
		Use:   "restart --config FILE --reason TEXT [--origin NAME]",
		Short: "Let a log go on under a new name after it was restored from a backup",
		Long: `A log that was put back to an earlier state has lost entries that others have
seen. To them it looks like a log that somebody tampered with, and it must: the
runtime refuses to start on it, Terraform refuses to plan.

This lets it go on, under a new origin and a new key. The entries that it has stay,
and can be proved; the first new one cites the checkpoint it goes on from, the
newest that this node had seen of what was lost, and the reason. Whoever uses the
log is told: Terraform names the restart, and goes on once log_public_key in the
provider block is the new key. Witnesses need the new key too.

The runtime must not be running. Put the new origin into log.origin, if it is set.`,
		Example: `  auditlb log restart --config /etc/auditlb/auditlb.hcl --reason "disk failed, restored the backup of 03:00, INC-77"`,
		Args:    exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if previousKey != "" {
				text, err := os.ReadFile(previousKey)
				if err != nil {
					return fmt.Errorf("--previous-public-key: %w", err)
				}
				r.PreviousKey = strings.TrimSpace(string(text))
			}
			return c.changeKey(cmd, config, r.Reason, func(cfg daemon.Config) (daemon.KeyChange, error) {
				return daemon.RestartLog(cmd.Context(), cfg, r)
			}, "The log goes on from entry %d under a new name. Its public key is now:\n%s\n")
		},
	}
	reasonFlags(cmd, &config, &r.Reason)
	cmd.Flags().StringVar(&r.Origin, "origin", "", "the log's new name (default: the old one with the time)")
	cmd.Flags().StringVar(&previousKey, "previous-public-key", "", "file with the key that signed the backup, if it is from before a change of key")
	return cmd
}

func reasonFlags(cmd *cobra.Command, config, reason *string) {
	cmd.Flags().StringVar(config, "config", "", "configuration of a runtime that is not running")
	cmd.Flags().StringVar(reason, "reason", "", "why, for the log")
	_ = cmd.MarkFlagRequired("config")
	_ = cmd.MarkFlagRequired("reason")
}

func (c *cli) changeKey(cmd *cobra.Command, path, reason string, change func(daemon.Config) (daemon.KeyChange, error), says string) error {
	if len(reason) < 3 {
		return usageError{errors.New("--reason must say something")}
	}
	config, err := daemon.LoadConfig(path)
	if err != nil {
		return err
	}
	done, err := change(config)
	if err != nil {
		return err
	}
	return c.print(cmd, done, func(out io.Writer) { fmt.Fprintf(out, says, done.Seq, done.PublicKey) })
}
