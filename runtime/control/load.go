package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// IntegrityError means that the stored log is not what its checkpoint signs.
// The runtime refuses to start on it.
type IntegrityError struct{ Findings []audit.Finding }

// Error names the first finding.
func (e *IntegrityError) Error() string {
	more := ""
	if n := len(e.Findings) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return "the log does not verify: " + e.Findings[0].Error() + more
}

// begin writes the first entry of a new log, or verifies the tail of an old one.
func (c *Controller) begin(ctx context.Context) error {
	extent, err := c.opts.Store.Extent(ctx)
	if err != nil {
		return fmt.Errorf("read the log's head: %w", err)
	}
	if len(extent.Note) == 0 && extent.Entries == 0 {
		return c.genesis(ctx)
	}
	report, err := audit.VerifyTail(ctx, c.opts.Store, c.opts.Signer.Verifier())
	if err != nil {
		return fmt.Errorf("verify the log: %w", err)
	}
	if !report.OK() {
		return &IntegrityError{report.Findings}
	}
	return nil
}

// genesis makes the entry that begins a log: it names the log's origin and key.
func (c *Controller) genesis(ctx context.Context) error {
	tx, err := c.opts.Store.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	b := c.newBatch(ctx, tx)
	after, err := lb.Canonical(map[string]string{
		"origin":     c.opts.Signer.Origin(),
		"public_key": c.opts.Signer.PublicKey(),
	})
	if err != nil {
		return err
	}
	_, err = b.append(Call{Actor: System("log")}, Subject{"log", "create"}, draft{kind: audit.TypeSystem, body: audit.Body{After: after}})
	if err != nil {
		return err
	}
	return c.write(ctx, b)
}

// load brings memory to what the store holds. Every object is compared with
// the entry that made it, so an edited current state never reaches traffic.
func (c *Controller) load(ctx context.Context) error {
	extent, err := c.opts.Store.Extent(ctx)
	if err != nil {
		return fmt.Errorf("read the log's head: %w", err)
	}
	cp, err := audit.OpenCheckpoint(extent.Note, c.opts.Signer.Verifier())
	if err != nil {
		return &IntegrityError{[]audit.Finding{{Seq: -1, Problem: "the head's checkpoint is not signed by this log's key"}}}
	}
	if c.tree, err = audit.LoadTree(cp.Size, audit.HashReader(ctx, c.opts.Store)); err != nil {
		return err
	}
	if c.tree.Root() != cp.Root {
		return &IntegrityError{[]audit.Finding{{Seq: -1, Problem: "the stored tree does not lead to the head's checkpoint"}}}
	}
	c.note = extent.Note
	newest, err := c.opts.Store.Entry(ctx, cp.Size-1)
	if err != nil {
		return err
	}
	entry, err := audit.ParseLeaf(newest.Leaf)
	if err != nil {
		return fmt.Errorf("entry %d: %w", cp.Size-1, err)
	}
	c.last = entry.Time

	fresh, held := newConfig(), newTokens()
	for after := ""; ; {
		rows, err := c.opts.Store.Currents(ctx, after, 500)
		if err != nil {
			return fmt.Errorf("read current state: %w", err)
		}
		for _, row := range rows {
			after = row.Resource
			if err := c.loadState(ctx, row, fresh, held); err != nil {
				return err
			}
		}
		if len(rows) < 500 {
			break
		}
	}
	fresh.keepUnchanged(c.config)
	c.config.replace(fresh)
	c.tokens.replace(held)
	c.mark()
	return nil
}

// loadState takes one row of current state into memory. Tickets and runs are
// read when they are needed: there is no end to them.
func (c *Controller) loadState(ctx context.Context, row audit.Current, config *Config, held *tokens) error {
	prefix, _, _ := strings.Cut(row.Resource, "/")
	kind := lb.Kind(prefix)
	if (!kind.Valid() && prefix != tokenPrefix) || row.State == nil {
		if kind.Valid() {
			config.revision = max(config.revision, row.Seq)
		}
		return nil
	}
	entry, err := c.made(ctx, row)
	if err != nil {
		return err
	}
	if prefix == tokenPrefix {
		return c.loadToken(ctx, row, held)
	}
	address, err := lb.ParseAddress(row.Resource)
	if err != nil {
		return err
	}
	obj, err := lb.New(kind)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(row.State, obj); err != nil {
		return fmt.Errorf("state of %s: %w", row.Resource, err)
	}
	config.objects[kind][address.Name] = &Object{Address: address, Object: obj, Encoded: row.State, Last: entry.LastChange()}
	config.revision = max(config.revision, row.Seq)
	return nil
}

// made returns the entry that made a current state, after checking that it did.
func (c *Controller) made(ctx context.Context, row audit.Current) (audit.Entry, error) {
	wrong := func(problem string) error {
		return &IntegrityError{[]audit.Finding{{Seq: row.Seq, Resource: row.Resource, Problem: problem}}}
	}
	stored, err := c.opts.Store.Entry(ctx, row.Seq)
	if err != nil {
		return audit.Entry{}, err
	}
	if stored == nil {
		return audit.Entry{}, wrong("the entry that made the current state is missing")
	}
	finding, err := audit.CheckState(ctx, c.opts.Store, stored, row)
	if err != nil {
		return audit.Entry{}, err
	}
	if finding != "" {
		return audit.Entry{}, wrong(finding)
	}
	return audit.ParseLeaf(stored.Leaf)
}

// keepUnchanged takes over the objects of old that are still the same, so that
// the data plane can tell by the pointer what did not change.
func (c *Config) keepUnchanged(old *Config) {
	for kind, objects := range c.objects {
		for name, o := range objects {
			if before := old.objects[kind][name]; before != nil && before.Last.Revision == o.Last.Revision {
				objects[name] = before
			}
		}
	}
}

func (c *Config) replace(fresh *Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects, c.revision = fresh.objects, fresh.revision
}

// IsIntegrity reports whether an error is an [*IntegrityError].
func IsIntegrity(err error) bool {
	var integrity *IntegrityError
	return errors.As(err, &integrity)
}
