package server

import (
	"context"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/history"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// wholeLog is the log with the bodies that an archive has. It notes what became of those
// that the log does not hold.
type wholeLog struct {
	*server
	found map[int64]ErasedBody
}

func (s *server) wholeLog() *wholeLog { return &wholeLog{s, map[int64]ErasedBody{}} }

// Changes implements history.Log.
func (l *wholeLog) Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error) {
	rows, err := l.Log.Changes(ctx, resource, through, limit)
	return l.filled(ctx, rows), err
}

// ChangesAt implements history.Log.
func (l *wholeLog) ChangesAt(ctx context.Context, since, through int64, after string, limit int) ([]audit.Row, error) {
	rows, err := l.Log.ChangesAt(ctx, since, through, after, limit)
	return l.filled(ctx, rows), err
}

func (l *wholeLog) filled(ctx context.Context, rows []audit.Row) []audit.Row {
	for i := range rows {
		if !rows[i].BodyErased() {
			continue
		}
		whole, found := l.whole(ctx, &rows[i])
		l.found[rows[i].Seq], rows[i] = found, *whole
	}
	return rows
}

// bodyOf says what became of the body of an entry that the log does not hold.
func (l *wholeLog) bodyOf(seq int64) (state string, by int64) {
	found := l.found[seq]
	return found.State, found.By
}

// getState answers the configuration at a point in time.
func (s *server) getState(c *call) (*answer, error) {
	limit, after, err := c.page()
	if err != nil {
		return nil, err
	}
	at, err := s.pointParameter(c, "at", true)
	if err != nil {
		return nil, err
	}
	only := c.URL.Query().Get("resource")
	log, state := s.wholeLog(), api.State{At: at, Items: []api.PastObject{}}
	if only != "" && strings.Contains(only, "/") {
		address, err := addressParameter("resource", only)
		if err != nil {
			return nil, err
		}
		o, err := history.ObjectAt(c.Context(), log, address, at.Revision)
		if err == nil && o != nil && o.Exists() {
			state.Items = append(state.Items, log.pastObject(o))
		}
		return okOr(state, err)
	}
	if only != "" {
		if !lb.Kind(only).Valid() {
			return nil, badParameter("resource", "must be an address such as pool/web, or a kind such as pool")
		}
		after = max(after, only+"/")
	}
	for size := 0; len(state.Items) < limit && size < maxPageBytes; {
		objects, more, err := history.StateAt(c.Context(), log, at.Revision, after, limit-len(state.Items))
		if err != nil {
			return nil, err
		}
		for i := range objects {
			if only != "" && string(objects[i].Address.Kind) != only {
				return ok(state)
			}
			after = objects[i].Address.String()
			size += len(objects[i].Encoded)
			state.Items = append(state.Items, log.pastObject(&objects[i]))
		}
		if !more {
			return ok(state)
		}
	}
	state.Next = after
	return ok(state)
}

func (l *wholeLog) pastObject(o *history.Object) api.PastObject {
	out := api.PastObject{Object: api.Object{
		Kind: o.Address.Kind, Name: o.Address.Name, Revision: o.Entry.Seq, LastChange: lastChange(o.Entry.LastChange()), Object: o.Encoded,
	}}
	out.BodyState, out.BodyErasedBy = l.bodyOf(o.Entry.Seq)
	return out
}

// getDiff answers what differs between two points in time.
func (s *server) getDiff(c *call) (*answer, error) {
	limit, after, err := c.page()
	if err != nil {
		return nil, err
	}
	diff := api.Diff{Items: []api.ObjectDiff{}}
	if diff.From, err = s.pointParameter(c, "from", false); err != nil {
		return nil, err
	}
	if diff.To, err = s.pointParameter(c, "to", true); err != nil {
		return nil, err
	}
	log := s.wholeLog()
	if only := c.URL.Query().Get("resource"); only != "" {
		address, err := addressParameter("resource", only)
		if err != nil {
			return nil, err
		}
		d, err := history.DiffOf(c.Context(), log, address, diff.From.Revision, diff.To.Revision)
		if err == nil && d != nil {
			err = log.add(&diff, d)
		}
		return okOr(diff, err)
	}
	for size := 0; len(diff.Items) < limit && size < maxPageBytes; {
		found, next, err := history.Diff(c.Context(), log, diff.From.Revision, diff.To.Revision, after, limit-len(diff.Items))
		if err != nil {
			return nil, err
		}
		for i := range found {
			if err := log.add(&diff, &found[i]); err != nil {
				return nil, err
			}
			last := &diff.Items[len(diff.Items)-1]
			size += len(last.Before) + len(last.After)
		}
		if after = next; after == "" {
			return ok(diff)
		}
	}
	diff.Next = after
	return ok(diff)
}

func (l *wholeLog) add(to *api.Diff, d *history.Difference) error {
	out := api.ObjectDiff{Address: d.Address.String(), Op: d.Op(), Patch: []lb.Change{}}
	for _, side := range []struct {
		object *history.Object
		change **api.LastChange
	}{{d.Before, &out.From}, {d.After, &out.To}} {
		if side.object == nil {
			continue
		}
		change := lastChange(side.object.Entry.LastChange())
		*side.change = &change
		if state, by := l.bodyOf(side.object.Entry.Seq); state != "" && (out.BodyState == "" || side.object.Gone) {
			out.BodyState, out.BodyErasedBy = state, by
		}
	}
	if !d.Gone() {
		if d.Before != nil {
			out.Before = d.Before.Encoded
		}
		if d.After != nil {
			out.After = d.After.Encoded
		}
		patch, err := d.Patch()
		if err != nil {
			return err
		}
		out.Patch = patch
	}
	to.Items = append(to.Items, out)
	return nil
}

// objectBlame answers who set each attribute of an object.
func (s *server) objectBlame(c *call) (*answer, error) {
	address, err := s.named(c)
	if err != nil {
		return nil, err
	}
	at, err := s.pointParameter(c, "at", true)
	if err != nil {
		return nil, err
	}
	log := s.wholeLog()
	object, attributes, err := history.Blame(c.Context(), log, address, at.Revision)
	if err != nil {
		return nil, err
	}
	if object == nil {
		return nil, api.NewProblem(api.CodeNotFound, address.String()+" did not exist at that point, nor before")
	}
	blame := api.Blame{
		Address: address.String(), At: at, Revision: object.Entry.Seq, Deleted: !object.Exists(),
		Change: lastChange(object.Entry.LastChange()), Attributes: make([]api.BlamedAttribute, len(attributes)),
	}
	if object.Gone {
		blame.BodyState, blame.BodyErasedBy = log.bodyOf(object.Entry.Seq)
	}
	for i, a := range attributes {
		b := api.BlamedAttribute{Pointer: a.Pointer, Value: a.Value, Change: lastChange(a.Entry.LastChange())}
		if a.Gone {
			b.BodyState, b.BodyErasedBy = log.bodyOf(a.Entry.Seq)
		}
		blame.Attributes[i] = b
	}
	return ok(blame)
}

// addressParameter reads an object's address.
func addressParameter(name, text string) (lb.Address, error) {
	address, err := lb.ParseAddress(text)
	if err != nil {
		return address, badParameter(name, "must be an address such as pool/web: "+err.Error())
	}
	return address, nil
}

// okOr answers a body unless there was an error.
func okOr(body any, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return ok(body)
}
