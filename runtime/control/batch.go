package control

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// batch is the calls that are committed together. What one call decides is
// visible to the next through it, and to nobody else until the commit.
type batch struct {
	ctx     context.Context
	tx      Tx
	reader  Reader
	tree    audit.Tree
	view    overlay
	planned *planned
	now     func() time.Time
	// last is the time of the newest entry: times are strictly increasing.
	last time.Time

	add Appendix
	// states, plans and answered hold what this batch has added, which the
	// transaction does not know yet; states also what it has read.
	states   map[string]*audit.Current
	plans    map[string]int64
	answered map[string]Answered
	records  map[int64]audit.Record
	// usages are what this batch knows of tickets, known what was known before it;
	// outdated are tickets of which that is not true any more. emergencies tells of
	// the tickets that were read whether they are an emergency's.
	usages, known map[string]Usage
	outdated      []string
	emergencies   map[string]bool
	// workspaces are those of runs, as this batch leaves them.
	workspaces map[string]string
	// exchanged counts the sessions that this batch opens by token.
	exchanged map[string]int
	windows   windows
	compiled  compiled
	// next is the key that this batch changes to, in the entry rotated; it signs beside
	// the old one. marks is set when the batch moves the point from which a start verifies.
	next    *audit.Signer
	rotated int64
	marks   bool
	// revision is the entry that last changed an object, once one did.
	revision int64
	// several is set while a call is decided that does several things at once.
	several *several
	// committed run after the commit, finished in any case.
	committed, finished []func()
}

func (c *Controller) newBatch(ctx context.Context, tx Tx) *batch {
	return &batch{
		ctx: ctx, tx: tx, reader: c.opts.Store, tree: c.tree, last: c.last, now: c.opts.Now,
		view:     overlay{c.config, map[lb.Address]*Object{}},
		planned:  c.planned,
		states:   map[string]*audit.Current{},
		plans:    map[string]int64{},
		answered: map[string]Answered{},
		records:  map[int64]audit.Record{},
		usages:   map[string]Usage{}, known: c.usages, emergencies: map[string]bool{},
		workspaces: map[string]string{},
		exchanged:  map[string]int{},
		windows:    c.windows, compiled: c.compiled,
	}
}

// time returns the time of the next entry: now, but after the entry before,
// in whole microseconds.
func (b *batch) time() time.Time {
	if b.several != nil {
		return b.several.time()
	}
	t := b.now().UTC().Truncate(time.Microsecond)
	if !t.After(b.last) {
		t = b.last.Add(time.Microsecond)
	}
	return t
}

// state reads a resource's current state into v. It returns the revision, or 0
// when there is none.
func (b *batch) state(resource string, v any) (int64, error) {
	current, ok := b.states[resource]
	if !ok {
		var err error
		if current, err = b.tx.State(b.ctx, resource); err != nil {
			return 0, err
		}
		b.states[resource] = current
	}
	if current == nil || current.State == nil {
		return 0, nil
	}
	if err := json.Unmarshal(current.State, v); err != nil {
		return 0, fmt.Errorf("state of %s: %w", resource, err)
	}
	return current.Seq, nil
}

// planOf finds the newest plan of an effect, see [Tx.PlanOf].
func (b *batch) planOf(effect, run string) (int64, bool, error) {
	if seq, ok := b.plans[planKey(effect, run)]; ok {
		return seq, true, nil
	}
	return b.tx.PlanOf(b.ctx, effect, run)
}

func planKey(effect, run string) string { return effect + " " + run }

// outcome reads an entry back as the answer it was.
func (b *batch) outcome(seq int64) (Outcome, error) {
	if r, ok := b.records[seq]; ok {
		return newOutcome(r.Entry, r.Body)
	}
	row, err := b.tx.Entry(b.ctx, seq)
	if err != nil {
		return Outcome{}, err
	}
	if row == nil {
		return Outcome{}, fmt.Errorf("entry %d is missing", seq)
	}
	entry, err := audit.ParseLeaf(row.Leaf)
	if err != nil {
		return Outcome{}, fmt.Errorf("entry %d: %w", seq, err)
	}
	return newOutcome(entry, row.Body)
}

// append seals a call's entry and adds it to the batch.
func (b *batch) append(call Call, subject Subject, d draft) (Outcome, error) {
	record, err := b.seal(call, subject, d, b.tree.Size())
	if err != nil {
		return Outcome{}, err
	}
	b.take(record, d)
	b.keepAnswer(call.scopedKey(), call, record.Entry.Seq)
	return Outcome{Entry: record.Entry, Body: d.body}, nil
}

// seal makes the record of a draft. The batch stays as it is.
func (b *batch) seal(call Call, subject Subject, d draft, seq int64) (audit.Record, error) {
	e := audit.Entry{
		Seq:          seq,
		Time:         b.time(),
		Type:         d.kind,
		Actor:        actorOf(call.Actor),
		Ticket:       call.Ticket,
		Resource:     subject.Resource,
		Op:           subject.Op,
		Base:         d.base,
		EffectDigest: d.effect,
		Plan:         d.plan,
		Unplanned:    d.unplanned,
		Emergency:    b.emergencies[call.Ticket],
		Outcome:      audit.OutcomeOK,
		Owner:        ownerOf(subject, d.body),
		Rollback:     d.rollback,
		Run:          call.runRef(),
	}
	if e.Run != nil && d.rollback == nil {
		// What takes something back makes no workspace the object's: none declares it.
		var err error
		if e.Run.Workspace, err = b.workspaceOf(call, subject, d.body); err != nil {
			return audit.Record{}, err
		}
	}
	if call.Request != (audit.Request{}) {
		request := call.Request
		e.Request = &request
	}
	if d.body.Refusal != nil {
		e.Outcome, e.Code = audit.OutcomeRefused, d.body.Refusal.Code
	}
	salt := make([]byte, audit.SaltBytes)
	_, _ = rand.Read(salt) // crypto/rand.Read never fails
	return audit.NewRecord(e, d.body, salt)
}

// take adds a sealed draft to the batch. It can't fail.
func (b *batch) take(record audit.Record, d draft) {
	e := record.Entry
	b.last = e.Time
	b.records[e.Seq] = record
	b.add.Records = append(b.add.Records, record)
	b.count(&e)
	if d.next != nil {
		b.next, b.rotated = d.next, e.Seq
	}
	b.add.Hashes = append(b.add.Hashes, b.tree.Append(record.LeafHash())...)
	b.add.Secrets = append(b.add.Secrets, d.secrets...)
	if e.ChangesState() {
		current := audit.Current{Resource: e.Resource, Seq: e.Seq, State: d.body.After}
		b.states[e.Resource] = &current
		b.add.States = append(b.add.States, current)
	}
	if d.object != nil {
		b.revision = e.Seq
		if d.body.After == nil {
			b.view.changed[d.object.Address] = nil
		} else {
			d.object.Last = e.LastChange()
			b.view.changed[d.object.Address] = d.object
		}
	}
	if columns := audit.ColumnsOf(&e); columns.Effect != "" {
		b.plans[planKey(e.EffectDigest, e.RunID())] = e.Seq
		b.plans[planKey(e.EffectDigest, "")] = e.Seq
	}
}

// keepAnswer keeps the entry that answers a call, under a key of the call's, if it has one.
func (b *batch) keepAnswer(key string, call Call, seq int64) {
	if call.Key == "" {
		return
	}
	answered := Answered{Key: key, Digest: call.Digest, Seq: seq, At: b.last}
	b.answered[key] = answered
	b.add.Answered = append(b.add.Answered, answered)
}
