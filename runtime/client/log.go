package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// RegisterRun says what a run claims of itself. It is idempotent.
func (c *Client) RegisterRun(ctx context.Context, id string, claims api.RunClaims) (*api.Run, error) {
	out := &api.Run{}
	return out, c.do(ctx, call{method: http.MethodPut, path: []string{"v1", "runs", id}, body: claims}, out)
}

// Run returns a run.
func (c *Client) Run(ctx context.Context, id string) (*api.Run, error) {
	out := &api.Run{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "runs", id}}, out)
}

// Runs returns a page of runs, newest first.
func (c *Client) Runs(ctx context.Context, page Page) (*api.RunList, error) {
	out := &api.RunList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "runs"}, query: page.query()}, out)
}

// Entries returns a page of entries, newest first.
func (c *Client) Entries(ctx context.Context, query api.EntryQuery) (*api.EntryList, error) {
	q := Page{Limit: query.Limit, Cursor: query.Cursor}.query()
	for key, value := range map[string]string{
		"resource": query.Resource,
		"run":      query.Run,
		"ticket":   query.Ticket,
		"actor":    query.Actor,
		"type":     query.Type,

		"workspace": query.Workspace,
		"owner":     query.Owner,
		"text":      query.Text,
	} {
		if value != "" {
			q.Set(key, value)
		}
	}
	setTime(q, "since", query.Since)
	setTime(q, "until", query.Until)
	setPatch(q, query.IncludePatch)
	if query.IncludeEvidence {
		q.Set("include", "evidence")
	}
	out := &api.EntryList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "entries"}, query: q}, out)
}

// Entry returns an entry with its body and patch.
func (c *Client) Entry(ctx context.Context, seq int64) (*api.EntryRecord, error) {
	out := &api.EntryRecord{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "entries", strconv.FormatInt(seq, 10)}}, out)
}

// History returns a page of what happened to an object, newest first.
func (c *Client) History(ctx context.Context, at lb.Address, page Page, includePatch bool) (*api.EntryList, error) {
	q := page.query()
	setPatch(q, includePatch)
	out := &api.EntryList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: append(objectPath(at), "history"), query: q}, out)
}

// Checkpoint returns the log's signed checkpoint, a C2SP note, as it is.
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	return c.roundTrip(ctx, call{method: http.MethodGet, path: []string{"tlog", "checkpoint"}}, "text/plain")
}

// Log returns the log's name, key and checkpoints.
func (c *Client) Log(ctx context.Context) (*api.Log, error) {
	out := &api.Log{}
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "log"}}, out)
	for i := range out.Restarts {
		// It is shown to people when a log can't be believed.
		r := &out.Restarts[i]
		for _, text := range []*string{&r.Actor, &r.Origin, &r.PublicKey, &r.PreviousOrigin, &r.Reason} {
			*text = audit.Text(*text, maxRestartText)
		}
	}
	return out, err
}

// maxRestartText bounds a text about a restart.
const maxRestartText = 1000

// Proof returns a proof of an entry, a C2SP tlog-proof, as it is.
func (c *Client) Proof(ctx context.Context, seq int64) ([]byte, error) {
	return c.roundTrip(ctx, call{method: http.MethodGet, path: []string{"v1", "entries", strconv.FormatInt(seq, 10), "proof"}}, "text/plain")
}

// setIf sets a parameter that says something.
func setIf(q url.Values, key, value string) {
	if value != "" {
		q.Set(key, value)
	}
}

func setTime(q url.Values, key string, t time.Time) {
	if !t.IsZero() {
		q.Set(key, t.UTC().Format(time.RFC3339Nano))
	}
}

func setPatch(q url.Values, include bool) {
	if include {
		q.Set("include", "patch")
	}
}
