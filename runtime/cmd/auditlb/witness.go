package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

func newWitness(c *cli) *cobra.Command {
	cmd := group("witness", "Cosign the checkpoints of other auditlbs' logs", newWitnessServe(), newWitnessKey(c))
	cmd.Long = `Be a witness (C2SP tlog-witness): remember the latest checkpoint of each log, and
sign a newer one only when it is proved to extend that. Whoever has a log's key
and its file can then neither rewrite what was signed nor go back behind it
unseen.

A witness is worth most where the people who run the log can't reach it: on
another machine, in other hands.`
	return cmd
}

func newWitnessServe() *cobra.Command {
	var path, level, format string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run a witness",
		Long: `Run a witness until SIGTERM or Ctrl-C.

The configuration is HCL:

  name     = "witness.example.com/w1"      # for good
  data_dir = "/var/lib/auditlb-witness"
  address  = "0.0.0.0:9444"                # default 127.0.0.1:9444

  tls {
    cert_file = "/etc/auditlb/witness.pem"
    key_file  = "/etc/auditlb/witness-tls.key"
  }

  log {
    public_key_file = "/etc/auditlb/prod.pub"   # or public_key = "…"
  }

Its key is made in data_dir on the first start. data_dir is its memory: a witness
whose memory was restored from a backup could sign what contradicts what it
signed since. Give such a one a new directory, key and name.`,
		Example: `  auditlb witness serve --config /etc/auditlb/witness.hcl`,
		Args:    exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			logger, err := newLogger(cmd.ErrOrStderr(), level, format)
			if err != nil {
				return err
			}
			config, err := witness.LoadConfig(path)
			if err != nil {
				return err
			}
			server, key, err := config.Open(logger)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, server.Close()) }()
			return witness.Serve(cmd.Context(), config, server, logger, func(url string) {
				logger.Info("witness ready", "url", url, "public_key", key.PublicKey(), "logs", len(config.Logs))
			})
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file (HCL)")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

// witnessKey is what `auditlb witness key` prints.
type witnessKey struct {
	Name      string `json:"name"`
	PublicKey string `json:"public_key"`
	// PolicyLine is the witness's line in a policy file.
	PolicyLine string `json:"policy_line"`
}

func newWitnessKey(c *cli) *cobra.Command {
	var path, url string
	cmd := &cobra.Command{
		Use:   "key --config FILE",
		Short: "Print a witness's public key, and its line for a log's policy file",
		Long: `Print the public key of a witness, and the line that names it in the policy file
of a log that it signs for (C2SP tlog-policy). The key is made when there is none.`,
		Example: `  auditlb witness key --config /etc/auditlb/witness.hcl --url https://witness.example.com`,
		Args:    exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.output != outputTable && c.output != outputJSON {
				return usageError{fmt.Errorf("--output %q must be %s or %s", c.output, outputTable, outputJSON)}
			}
			config, err := witness.LoadConfig(path)
			if err != nil {
				return err
			}
			key, err := config.LoadKey()
			if err != nil {
				return err
			}
			if url == "" {
				url = config.URL()
			}
			out := witnessKey{key.Name(), key.PublicKey(), fmt.Sprintf("witness %s %s %s", key.Name(), key.PublicKey(), url)}
			if _, err := witness.ParsePolicy([]byte(out.PolicyLine + "\nquorum none\n")); err != nil {
				return usageError{fmt.Errorf("--url: %w", err)}
			}
			return c.print(cmd, out, func(w io.Writer) {
				fmt.Fprintln(w, out.PublicKey)
				fmt.Fprintf(w, "\nIn the policy file of a log:\n\n%s\n", out.PolicyLine)
			})
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration of the witness (HCL)")
	cmd.Flags().StringVar(&url, "url", "", "where logs reach it (default: its address)")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}
