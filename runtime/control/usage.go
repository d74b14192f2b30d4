package control

import (
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// maxUsages bounds for how many tickets it is remembered what was done under them.
const maxUsages = 1000

// usage returns what was done under a ticket, with the batch's own entries and what the
// call in hand does before the change that is looked at.
func (b *batch) usage(id string) (Usage, error) {
	u, err := b.recordedUsage(id)
	if b.several != nil && b.several.ticket == id {
		u.Applied += b.several.made
	}
	return u, err
}

// recordedUsage is what the entries say was done under a ticket.
// Invariant: a ticket's usage in memory is that of its entries, since there is
// no other way into the log than this loop.
func (b *batch) recordedUsage(id string) (Usage, error) {
	if u, ok := b.usages[id]; ok {
		return u, nil
	}
	u, ok := b.known[id]
	if !ok {
		var err error
		if u, err = b.reader.TicketUsage(b.ctx, id); err != nil {
			return Usage{}, err
		}
	}
	for i := range b.add.Records {
		u = u.with(&b.add.Records[i].Entry, id)
	}
	b.usages[id] = u
	return u, nil
}

// count adds an entry to the usage of its ticket, where that is known.
func (b *batch) count(e *audit.Entry) {
	if u, ok := b.usages[e.Ticket]; ok {
		b.usages[e.Ticket] = u.with(e, e.Ticket)
	} else if e.Ticket != "" {
		// What was known before this batch is not true any more.
		b.outdated = append(b.outdated, e.Ticket)
	}
}

// with is the usage with one more entry.
func (u Usage) with(e *audit.Entry, id string) Usage {
	switch {
	case e.Ticket != id || id == "" || strings.HasPrefix(e.Resource, ticketPrefix+"/"):
	case e.Type == audit.TypeReject:
		u.Refused++
	case e.Type == audit.TypeApply:
		u.Applied++
		if u.First == 0 {
			u.First = e.Seq
		}
		u.Last = e.Seq
		if !slices.Contains(u.Appliers, e.Actor.Name) {
			u.Appliers = append(slices.Clone(u.Appliers), e.Actor.Name)
			slices.Sort(u.Appliers)
		}
	}
	return u
}

// remember keeps what a committed batch learnt of tickets.
func (c *Controller) remember(b *batch) {
	if len(c.usages)+len(b.usages) > maxUsages {
		clear(c.usages)
	}
	for _, id := range b.outdated {
		delete(c.usages, id)
	}
	for id, u := range b.usages {
		c.usages[id] = u
	}
}

// evidence is what the log holds of a ticket, with the checkpoint as it is.
func (b *batch) evidence(id string) (*ticket.Evidence, error) {
	u, err := b.usage(id)
	if err != nil {
		return nil, err
	}
	e := &ticket.Evidence{
		Applied: u.Applied, Refused: u.Refused, First: u.First, Last: u.Last, Appliers: u.Appliers,
		LogSize: b.tree.Size(), LogRoot: b.tree.Root().String(),
	}
	if e.Appliers == nil {
		e.Appliers = []string{}
	}
	return e, nil
}
