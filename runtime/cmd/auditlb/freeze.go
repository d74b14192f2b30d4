package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newFreeze(c *cli) *cobra.Command {
	return group("freeze", "Stop changes for a while, but those under emergency tickets", newFreezeAdd(c), newFreezeList(c), newFreezeRemove(c))
}

func newFreezeAdd(c *cli) *cobra.Command {
	freeze := lb.NewFreeze()
	var ticketID, begin, end string
	var valid time.Duration
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a freeze window",
		Long: `Add a freeze window: while it is on, nothing that it covers can be changed but
under an emergency ticket. With --recurrence it comes again by a rule of RFC 5545.
Like every change this needs a change ticket, and a token of role admin.`,
		Example: `  auditlb freeze add holidays --ticket CHG-1042 --owner sre --reason "Nobody is here" \
    --begin 2026-12-23T17:00:00Z --end 2027-01-02T08:00:00Z
  auditlb freeze add fridays --ticket CHG-1042 --owner sre --reason "No deployments on Fridays" \
    --begin 2026-01-02T12:00:00+01:00 --for 12h --recurrence "FREQ=WEEKLY;BYDAY=FR" --time-zone Europe/Berlin`,
		Args: exactly(1, "one name, and flags"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, t := range []struct {
				flag, text string
				into       *time.Time
			}{{"begin", begin, &freeze.Begin}, {"end", end, &freeze.End}} {
				var err error
				if *t.into, err = timeFlag(t.flag, t.text); err != nil {
					return err
				}
			}
			if freeze.Begin.IsZero() {
				freeze.Begin = time.Now()
			}
			if valid > 0 {
				freeze.End = freeze.Begin.Add(valid)
			}
			freeze.Normalize()
			address := lb.Address{Kind: lb.KindFreeze, Name: args[0]}
			o, err := c.put(cmd.Context(), ticketID, address, freeze, client.IfAbsent())
			if err != nil {
				return err
			}
			return c.print(cmd, o, func(out io.Writer) { fmt.Fprintf(out, "%s is in force as of revision %d\n", address, o.Revision) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&ticketID, "ticket", "", "change ticket (default $AUDITLB_CHANGE_TICKET)")
	flags.StringVar(&freeze.Owner, "owner", "", "the team or person to call about it")
	flags.StringVar(&freeze.Reason, "reason", "", "what people are told who are stopped by it")
	flags.StringSliceVar(&freeze.Addresses, "address", freeze.Addresses, "what is frozen: an address or glob (repeatable)")
	flags.StringVar(&begin, "begin", "", "when it begins, RFC 3339 (default: now)")
	flags.StringVar(&end, "end", "", "when it ends, RFC 3339")
	flags.DurationVar(&valid, "for", 0, "how long it lasts, in place of --end")
	flags.StringVar(&freeze.Recurrence, "recurrence", "", "rule of RFC 5545 by which it comes again")
	flags.StringVar(&freeze.TimeZone, "time-zone", freeze.TimeZone, "IANA time zone in which the rule counts days")
	cmd.MarkFlagsMutuallyExclusive("for", "end")
	return cmd
}

// shownFreeze is a freeze window with where it stands now.
type shownFreeze struct {
	api.Object
	// Active is true while it is on. Window is the one that is on, or the next.
	Active bool       `json:"active"`
	Window *lb.Window `json:"window,omitzero"`
}

func newFreezeList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List freeze windows, and which are on",
		Example: `  auditlb freeze list`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			objects, err := c.objects(cmd.Context(), lb.KindFreeze)
			if err != nil {
				return err
			}
			shown := make([]shownFreeze, 0, len(objects))
			rows := make([][]string, 0, len(objects))
			for _, o := range objects {
				freeze := lb.NewFreeze()
				if err := json.Unmarshal(o.Object, freeze); err != nil {
					return fmt.Errorf("freeze/%s: %w", o.Name, err)
				}
				s, row := standing(o, freeze, time.Now())
				shown, rows = append(shown, s), append(rows, row)
			}
			return c.print(cmd, shown, func(out io.Writer) {
				columns(out, []string{"FREEZE", "STATE", "FROM", "UNTIL", "COVERS", "RECURS", "REASON"}, rows)
			})
		},
	}
}

func standing(o api.Object, freeze *lb.Freeze, now time.Time) (shownFreeze, []string) {
	s := shownFreeze{Object: o}
	state, from, until := "over", "-", "-"
	if w, ok := freeze.Around(now); ok {
		s.Window, s.Active = &w, w.Contains(now)
		state, from, until = map[bool]string{true: "on", false: "to come"}[s.Active], at(w.Begin), at(w.End)
	}
	return s, []string{o.Name, state, from, until, strings.Join(freeze.Addresses, ", "), dash(freeze.Recurrence), freeze.Reason}
}

func newFreezeRemove(c *cli) *cobra.Command {
	var ticketID string
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a freeze window; one that covers itself and is on, under an emergency ticket",
		Example: `  auditlb freeze remove fridays --ticket CHG-1042`,
		Args:    exactly(1, "one freeze window's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.remove(cmd, ticketID, lb.Address{Kind: lb.KindFreeze, Name: args[0]})
		},
	}
	cmd.Flags().StringVar(&ticketID, "ticket", "", "change ticket (default $AUDITLB_CHANGE_TICKET)")
	return cmd
}
