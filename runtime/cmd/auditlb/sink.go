package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func newSink(c *cli) *cobra.Command {
	return group("sink", "Show where the log is streamed to", newSinkList(c))
}

func newSinkList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the sinks, with how far each has come and what is wrong with it",
		Long: `List the sinks of the runtime's configuration. LAG is how many entries of the log a
sink has not got to yet, BEHIND the age of the oldest of them. Counts begin anew
with each start of the runtime.`,
		Example: `  auditlb sink list`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			list, err := cl.Sinks(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(cmd, list, func(out io.Writer) { printSinks(out, list.Items) })
		},
	}
}

func printSinks(out io.Writer, sinks []api.Sink) {
	rows := make([][]string, 0, len(sinks))
	for i := range sinks {
		s := &sinks[i]
		format := s.Format
		if s.Envelope != "" {
			format += " in " + s.Envelope
		}
		rows = append(rows, []string{
			s.Name, s.State, s.Type, s.Target, format, count(s.Next), count(s.Lag), behind(s), count(s.Delivered), count(s.DeadLetters), dash(at(s.LastSuccess)),
		})
	}
	columns(out, []string{"SINK", "STATE", "TYPE", "TARGET", "FORMAT", "NEXT", "LAG", "BEHIND", "TAKEN", "DEAD", "LAST TAKEN"}, rows)
	for i := range sinks {
		s := &sinks[i]
		if f := s.LastFailure; f != nil && (s.State != api.SinkRunning || s.DeadLetters > 0) {
			fmt.Fprintf(out, "%s: %s (%s, at %s)\n", s.Name, f.Detail, f.Code, at(f.At))
		}
	}
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func behind(s *api.Sink) string {
	if s.Lag == 0 {
		return "-"
	}
	return time.Duration(s.LagSeconds * float64(time.Second)).Round(time.Second).String()
}
