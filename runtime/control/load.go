package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"

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
	report, err := audit.VerifyTail(ctx, c.opts.Store, c.signer.Load().Verifier())
	if err != nil {
		return fmt.Errorf("verify the log: %w", err)
	}
	if !report.OK() {
		return &IntegrityError{report.Findings}
	}
	return c.checkKey(ctx)
}

// checkKey holds the key in use to the one that the log names: another one of the
// same origin makes checkpoints that nobody who has seen the log believes.
func (c *Controller) checkKey(ctx context.Context) error {
	var named audit.LogKey
	at := int64(-1)
	wrong := ""
	err := c.logEntries(ctx, func(e *audit.Entry, row *audit.Row) error {
		if e.Op != audit.OpCreate && e.Op != audit.OpRotate && e.Op != audit.OpRestart {
			return nil
		}
		at, wrong = e.Seq, ""
		record := audit.Record{Entry: *e, Salt: row.Salt, Body: row.Body}
		var err error
		if named, err = audit.ParseLogKey(row.Body); err != nil || !record.BodyMatches() {
			wrong = audit.ErrBody.Error()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the key that the log names: %w", err)
	}
	if wrong == "" && named.PublicKey != c.signer.Load().PublicKey() {
		wrong = "the signing key is not the one that the entry names: put that one back, or change it with auditlb log rotate-key"
	}
	if wrong != "" {
		return &IntegrityError{[]audit.Finding{{Seq: at, Resource: audit.ResourceLog, Problem: wrong}}}
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
	signer := c.signer.Load()
	after, err := lb.Canonical(audit.LogKey{Origin: signer.Origin(), PublicKey: signer.PublicKey()})
	if err != nil {
		return err
	}
	_, err = b.append(Call{Actor: System("log")}, Subject{audit.ResourceLog, audit.OpCreate}, draft{kind: audit.TypeSystem, body: audit.Body{After: after}})
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
	if err := c.loadTree(ctx, extent.Note, c.signer.Load().Verifier()); err != nil {
		return err
	}
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
	orphans, err := c.opts.Store.Orphans(ctx)
	if err != nil {
		return fmt.Errorf("read current state: %w", err)
	}
	if len(orphans) > 0 {
		return &IntegrityError{[]audit.Finding{{Seq: orphans[0].Seq, Resource: orphans[0].Resource, Problem: "the current state has no row for what this entry made"}}}
	}
	clear(c.usages)
	fresh.keepUnchanged(c.config)
	c.config.replace(fresh)
	c.tokens.replace(held)
	c.mark()
	return nil
}

// newestTime returns the time of the newest entry, after checking the entry.
func (c *Controller) newestTime(ctx context.Context, seq int64) (time.Time, error) {
	newest, err := c.opts.Store.Entry(ctx, seq)
	if err != nil {
		return time.Time{}, fmt.Errorf("read entry %d: %w", seq, err)
	}
	if newest == nil {
		return time.Time{}, &IntegrityError{[]audit.Finding{{Seq: seq, Problem: "the entry is missing: the checkpoint signs it"}}}
	}
	problem, err := audit.CheckEntry(ctx, c.opts.Store, newest)
	if err != nil {
		return time.Time{}, err
	}
	if problem != "" {
		return time.Time{}, &IntegrityError{[]audit.Finding{{Seq: seq, Resource: newest.Columns.Resource, Problem: problem}}}
	}
	entry, err := audit.ParseLeaf(newest.Leaf)
	return entry.Time, err
}

// loadTree brings the tree and the time of the newest entry to what a head signs.
func (c *Controller) loadTree(ctx context.Context, head []byte, v note.Verifier) error {
	cp, err := audit.OpenCheckpoint(head, v)
	if err != nil {
		return &IntegrityError{[]audit.Finding{{Seq: -1, Problem: "the head's checkpoint is not signed by this log's key"}}}
	}
	if c.tree, err = audit.LoadTree(cp.Size, audit.HashReader(ctx, c.opts.Store)); err != nil {
		return err
	}
	if c.tree.Root() != cp.Root {
		return &IntegrityError{[]audit.Finding{{Seq: -1, Problem: "the stored tree does not lead to the head's checkpoint"}}}
	}
	c.committed.Store(&head)
	c.last, err = c.newestTime(ctx, cp.Size-1)
	return err
}

// loadState takes one row of current state into memory. Tickets and runs are
// read when they are needed: there is no end to them.
func (c *Controller) loadState(ctx context.Context, row audit.Current, config *Config, held *tokens) error {
	prefix, _, _ := strings.Cut(row.Resource, "/")
	kind := lb.Kind(prefix)
	credential := prefix == tokenPrefix || prefix == sessionPrefix
	if !kind.Valid() && !credential {
		return nil
	}
	if prefix == sessionPrefix && c.longEnded(row) {
		return nil
	}
	entry, err := c.made(ctx, row)
	if err != nil {
		return err
	}
	if credential {
		return c.loadToken(ctx, row, held)
	}
	config.revision = max(config.revision, row.Seq)
	if row.State == nil {
		return nil
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
	return nil
}

// made returns the entry that made a current state, after checking that it did.
func (c *Controller) made(ctx context.Context, row audit.Current) (audit.Entry, error) {
	wrong := func(seq int64, problem string) error {
		return &IntegrityError{[]audit.Finding{{Seq: seq, Resource: row.Resource, Problem: problem}}}
	}
	stored, err := c.opts.Store.Entry(ctx, row.Seq)
	if err != nil {
		return audit.Entry{}, err
	}
	if stored == nil {
		return audit.Entry{}, wrong(row.Seq, "the entry that made the current state is missing")
	}
	finding, err := audit.CheckState(ctx, c.opts.Store, stored, row)
	if err != nil {
		return audit.Entry{}, err
	}
	if finding != "" {
		return audit.Entry{}, wrong(row.Seq, finding)
	}
	entry, err := audit.ParseLeaf(stored.Leaf)
	if err != nil {
		return audit.Entry{}, err
	}
	// An older state is true to its entry too: a revoked token would be back.
	newest, err := c.opts.Store.Entries(ctx, Query{Resource: row.Resource, Types: []audit.Type{entry.Type}, Limit: 1})
	if err != nil {
		return audit.Entry{}, err
	}
	if len(newest) == 1 && newest[0].Seq != row.Seq {
		return audit.Entry{}, wrong(newest[0].Seq, fmt.Sprintf("the current state claims to be of entry %d, but this one changed it last", row.Seq))
	}
	return entry, nil
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
