package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
)

func newServe() *cobra.Command {
	var path, level, format string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the load balancer",
		Long: `Run the load balancer until SIGTERM or Ctrl-C.

The configuration is HCL:

  data_dir = "/var/lib/auditlb"

  management {
    address = "0.0.0.0:9443"      # default 127.0.0.1:9443
    tls {
      cert_file = "/etc/auditlb/management.pem"
      key_file  = "/etc/auditlb/management.key"
    }
  }

  log {
    origin = "lb.example.com/prod"   # names the log, for good
  }

On the first start the log and its keys are made in data_dir. Create the first
token before it, with auditlb token create --config FILE.`,
		Example: `  auditlb serve --config /etc/auditlb/auditlb.hcl`,
		Args:    exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := newLogger(cmd.ErrOrStderr(), level, format)
			if err != nil {
				return err
			}
			config, err := daemon.LoadConfig(path)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), config, logger, nil)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file (HCL)")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

func newLogger(out io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level %q must be debug, info, warn or error", level)}
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(out, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, opts)), nil
	}
	return nil, usageError{fmt.Errorf("--log-format %q must be text or json", format)}
}

// serve runs until ctx ends or the daemon fails, then shuts down in order. ready
// is called once calls are answered.
func serve(ctx context.Context, config daemon.Config, logger *slog.Logger, ready func(*daemon.Daemon) error) error {
	defer holdHeapFloor()()
	d, err := daemon.Start(ctx, config, logger)
	if err != nil {
		return err
	}
	if ready != nil {
		err = ready(d)
	}
	if err == nil {
		select {
		case <-ctx.Done():
			logger.Info("shutting down")
		case err = <-d.Failed():
		}
	}
	timeout, _ := time.ParseDuration(config.ShutdownTimeout)
	if timeout <= 0 {
		timeout = daemon.DefaultShutdownTimeout
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	return errors.Join(err, d.Close(ending))
}

// tempDir makes the directory of a runtime that leaves nothing behind.
func tempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "auditlb-dev-")
	if err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
