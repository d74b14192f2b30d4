package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// trafficSteps are those of the table of one listener or pool, of which there are at
// most trafficRows.
var trafficSteps = []time.Duration{
	10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour,
}

const (
	trafficRows = 30
	// maxTrafficChanges bounds the changes that are shown beside traffic: the newest ones.
	maxTrafficChanges = 1000
)

// trafficShown is traffic with the changes that were made in that time.
type trafficShown struct {
	*api.Traffic
	// Changes are the newest ones, newest first. MoreChanges says that there are others.
	Changes     []api.EntryRecord `json:"changes"`
	MoreChanges bool              `json:"more_changes,omitzero"`
}

func newTraffic(c *cli) *cobra.Command {
	var since, until string
	var step time.Duration
	cmd := &cobra.Command{
		Use:   "traffic [listener/NAME|pool/NAME]",
		Short: "Show what the listeners and pools did over time, with the changes in between",
		Long: `Show requests, errors and latencies of all listeners and pools in a span of time, or
of one of them step by step, with the changes of the configuration in each step. Of
listeners and pools without HTTP it is connections that are counted.

ERRORS are answers of status 5xx, and connections that no member took; 4XX are
answers of status 4xx, and clients that went away. The runtime counts in memory, from
its start, and keeps it for 14 days: steps of 10 seconds for 2 hours, of a minute for a
day, and of 10 minutes for the rest.`,
		Example: `  auditlb traffic
  auditlb traffic pool/web --since 15m
  auditlb traffic listener/edge --since 2026-11-01T08:00:00Z --until 2026-11-01T12:00:00Z -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := api.TrafficQuery{Step: step}
			if len(args) == 1 {
				a, err := lb.ParseAddress(args[0])
				switch {
				case err != nil:
					return usageError{err}
				case a.Kind == lb.KindListener:
					q.Listener = a.Name
				case a.Kind == lb.KindPool:
					q.Pool = a.Name
				default:
					return usageError{fmt.Errorf("%s has no traffic of its own: name a listener or a pool", args[0])}
				}
			}
			var err error
			if q.Until, err = timeOrAgo("until", until); err != nil {
				return err
			}
			if q.Since, err = timeOrAgo("since", since); err != nil {
				return err
			}
			if step < 0 {
				return usageError{fmt.Errorf("--step %s must not be negative", step)}
			}
			if len(args) == 1 && step == 0 {
				q.Step = rowStep(q)
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			shown, err := trafficOf(cmd.Context(), cl, q)
			if err != nil {
				return err
			}
			return c.print(cmd, shown, func(out io.Writer) {
				if len(args) == 1 {
					printTrafficSteps(out, shown)
					return
				}
				printTraffic(out, shown)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&since, "since", "1h", "from then: how long ago, such as 15m, or an RFC 3339 time")
	flags.StringVar(&until, "until", "", "until then: how long ago, or an RFC 3339 time (default now)")
	flags.DurationVar(&step, "step", 0, "length of a step, such as 10s or 5m (default: by the span)")
	return cmd
}

// timeOrAgo reads a time in a flag that may be said as how long ago it was.
func timeOrAgo(name, text string) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	t, err := timeFlag(name, text)
	if err != nil {
		err = usageError{fmt.Errorf("--%s %q must be how long ago, such as 15m, or an RFC 3339 time, such as 2026-01-31T14:05:00Z", name, text)}
	}
	return t, err
}

// rowStep is a step by which a span has no more rows than are good to read.
func rowStep(q api.TrafficQuery) time.Duration {
	until := q.Until
	if until.IsZero() {
		until = time.Now()
	}
	for _, s := range trafficSteps {
		if until.Sub(q.Since) < (trafficRows+1)*s {
			return s
		}
	}
	return trafficSteps[len(trafficSteps)-1]
}

// trafficOf reads all pages of traffic, and the changes that were made meanwhile.
func trafficOf(ctx context.Context, cl *client.Client, q api.TrafficQuery) (*trafficShown, error) {
	q.Limit = api.MaxPageSize
	t, err := cl.Traffic(ctx, q)
	if err != nil {
		return nil, err
	}
	q.Since, q.Until = t.Since, t.Until // so that all pages are of the same span
	for t.Next != "" {
		q.Cursor = t.Next
		more, err := cl.Traffic(ctx, q)
		if err != nil {
			return nil, err
		}
		t.Items, t.Next = append(t.Items, more.Items...), more.Next
	}
	shown := &trafficShown{Traffic: t, Changes: []api.EntryRecord{}}
	changes := api.EntryQuery{Type: "apply", Since: t.Since, Until: t.Until, Limit: api.MaxPageSize}
	for len(shown.Changes) < maxTrafficChanges {
		page, err := cl.Entries(ctx, changes)
		if err != nil {
			return nil, err
		}
		shown.Changes = append(shown.Changes, page.Items...)
		if changes.Cursor = page.Next; page.Next == "" {
			return shown, nil
		}
	}
	shown.MoreChanges = true
	return shown, nil
}
