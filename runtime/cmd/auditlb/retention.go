package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

func newRetention(c *cli) *cobra.Command {
	return group("retention", "How long the bodies of entries stay in the log", newRetentionStatus(c))
}

func newRetentionStatus(c *cli) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "status --config FILE",
		Short: "Show how many entries are old enough for their bodies to go",
		Long: `Show how far the erasing of bodies has come in the log of a configuration, running or
stopped, and how many entries are older than retention.bodies_after and were not
looked at yet. Nothing is erased: the runtime does that, every hour.`,
		Example: `  auditlb retention status --config /etc/auditlb/auditlb.hcl`,
		Args:    exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" {
				return usageError{errors.New("say which log: --config FILE")}
			}
			cfg, err := daemon.LoadConfig(config)
			if err != nil {
				return err
			}
			if cfg.Retention == nil {
				return usageError{errors.New("the configuration has no retention: bodies stay for good")}
			}
			period, err := cfg.Retention.Period()
			if err != nil {
				return err
			}
			reader, err := sqlite.OpenReader(cfg.DataDir)
			if err != nil {
				return err
			}
			defer reader.Close()
			status, err := control.ReadRetention(cmd.Context(), reader, time.Now(), period)
			if err != nil {
				return err
			}
			return c.print(cmd, status, func(out io.Writer) {
				fields(out, "bodies after", cfg.Retention.BodiesAfter, "action", cfg.Retention.Action,
					"looked at", fmt.Sprintf("%d entries", status.Next), "due", fmt.Sprintf("%d entries to look at", status.Due))
			})
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration of the runtime")
	return cmd
}
