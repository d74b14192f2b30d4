package control

import (
	"errors"
	"fmt"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// ErrMoved means that something was changed between working a rollback out and making
// it: work it out again.
var ErrMoved = errors.New("changed while the rollback was worked out")

// touches reports whether a change bears on what the rollback does.
func (u *Undoing) touches(e *audit.Entry) bool {
	address, err := lb.ParseAddress(e.Resource)
	switch {
	case err != nil:
		return false
	case u.Run != "":
		_, changed := u.changedByRun[address]
		return changed || e.RunID() == u.Run
	case u.Everything:
		return u.Governance || !address.Kind.Governs()
	}
	return address == u.Address
}

// Bounds of the entries that are looked at since a rollback was worked out.
const (
	leavesAtOnce = 500
	maxLooked    = 10_000
)

// stands is [ErrMoved] unless a rollback would still be worked out as it was.
func (b *batch) stands(u *Undoing) error {
	moved, all, err := b.movedSince(u.At, u.touches)
	if err == nil && (len(moved) > 0 || !all) {
		err = ErrMoved
	}
	return err
}

// movedSince lists the accepted changes after an entry that bear on something, in order;
// not all of them when there are too many entries.
func (b *batch) movedSince(at int64, touches func(*audit.Entry) bool) (moved []audit.Entry, all bool, err error) {
	look := func(e *audit.Entry) {
		if e.Type == audit.TypeApply && touches(e) {
			moved = append(moved, *e)
		}
	}
	committed := b.tree.Size() - int64(len(b.add.Records))
	for from := at + 1; from < committed; {
		if from > at+maxLooked {
			return moved, false, nil
		}
		leaves, err := b.reader.Leaves(b.ctx, from, leavesAtOnce)
		if err != nil {
			return nil, false, err
		}
		for _, leaf := range leaves {
			e, err := audit.ParseLeaf(leaf)
			if err != nil {
				return nil, false, fmt.Errorf("entry %d: %w", from, err)
			}
			look(&e)
			from++
		}
		if len(leaves) == 0 {
			return nil, false, fmt.Errorf("entry %d is missing", from)
		}
	}
	for i := range b.add.Records {
		if e := &b.add.Records[i].Entry; e.Seq > at {
			look(e)
		}
	}
	return moved, true, nil
}

// maxNamed bounds the changes that a refusal names.
const maxNamed = 10

// notAsPreviewed refuses a rollback that would do something else than what was looked at.
func (b *batch) notAsPreviewed(u *Undoing) error {
	refused := refuse(CodePreconditionFailed, "the rollback would not do any more what was previewed: look at it again")
	if u.PreviewAt <= 0 {
		return refused
	}
	moved, _, err := b.movedSince(u.PreviewAt, u.touches)
	if err != nil {
		return err
	}
	var names []string
	for i := range moved[:min(len(moved), maxNamed)] {
		change := Conflict{LastChange: moved[i].LastChange()}
		change.Address, _ = lb.ParseAddress(moved[i].Resource)
		names = append(names, change.String())
	}
	if len(moved) > maxNamed {
		names = append(names, fmt.Sprintf("and %d more", len(moved)-maxNamed))
	}
	if len(names) > 0 {
		last := moved[0].LastChange()
		refused.Current = &last
		refused.Detail += ". Changed since: " + strings.Join(names, "; ")
	}
	return refused
}
