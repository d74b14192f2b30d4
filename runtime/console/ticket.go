package console

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

var ticketPage = page{name: "ticket", path: "/tickets/{id}", under: "tickets", show: (*visit).ticket, act: (*visit).actOnTicket}

// ticketData is what the page of a ticket shows.
type ticketData struct {
	*api.Ticket
	// Effects are what a bound ticket covers.
	Effects     []ticketEffect
	MoreEffects string
	// Actions are what can be done in this state, and Denied what will be refused.
	Actions, Denied []ticketAction
	// Entries are the newest ones under the ticket.
	Entries []api.EntryRecord
	Watch   *watch
}

// ticketEffect is a planned change that the ticket covers, as it differs from what was.
type ticketEffect struct {
	api.TicketEffect
	Difference difference
}

// ticketAction is something that can be done to a ticket.
type ticketAction struct {
	Verb client.TicketVerb
	// Label is the button's, and Comment what the text with it is called.
	Label, Comment string
	// Required is set where there has to be a text.
	Required bool
	// Weight is the class of the button.
	Weight string
	// states are those in which it can be done.
	states []string
	// permission is what it takes, in the API's words.
	permission string
	// Denied says why it will be refused, if that is known: trying is recorded.
	Denied string
}

// actionForm is what the form of an action is made from.
type actionForm struct {
	Frame  *frame
	Action ticketAction
}

// ticketActions are all there are. What is permitted is the API's to say: this is what is
// offered.
var ticketActions = []ticketAction{
	{Verb: client.Submit, Label: "Submit for approval", Weight: "primary", states: []string{"draft"}, permission: "open tickets"},
	{Verb: client.Approve, Label: "Approve", Comment: "Comment", Weight: "primary", states: []string{"pending"}, permission: decide},
	{Verb: client.Review, Label: "Review", Comment: "What you found", Weight: "primary", states: []string{"approved", "expired", "rejected", "cancelled"}, permission: decide},
	{Verb: client.Close, Label: "Close", Comment: "How it went", states: []string{"approved", "expired"}, permission: "cancel or close tickets"},
	{Verb: client.Reject, Label: "Reject", Comment: "Reason", Required: true, Weight: "danger", states: []string{"pending", "approved"}, permission: decide},
	{Verb: client.Cancel, Label: "Cancel the ticket", Comment: "Reason", states: []string{"draft", "pending", "approved"}, permission: "cancel or close tickets"},
}

const decide = "approve, reject or review tickets"

func (v *visit) ticket() (view, error) {
	t, err := v.client.Ticket(v.Context(), v.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	data := ticketData{Ticket: t}
	for _, a := range v.offered(t) {
		if a.Denied == "" {
			data.Actions = append(data.Actions, a)
		} else {
			data.Denied = append(data.Denied, a)
		}
	}
	if t.Binding != nil {
		effects, err := v.client.TicketEffects(v.Context(), t.ID, client.Page{Limit: 100, Cursor: v.page().Cursor})
		if err != nil {
			return view{}, err
		}
		for _, e := range effects.Items {
			d, err := patched(e.Patch)
			if err != nil {
				return view{}, err
			}
			data.Effects = append(data.Effects, ticketEffect{e, d})
		}
		if effects.Next != "" {
			data.MoreEffects = filters{ticketURL(t.ID), nil}.With("cursor", effects.Next) + "#effects"
		}
	}
	if data.Entries, err = v.underTicket(t.ID); err != nil {
		return view{}, err
	}
	if data.Watch = v.watching("ticket/"+t.ID, data.Entries, api.EntryTypes...); data.Watch != nil {
		data.Watch.Ticket = t.ID
	}
	return view{title: t.ID + " " + t.Title, scripts: []string{"watch.js"}, data: data}, nil
}

// underTicket are the newest entries under a ticket and about it: what a role does not
// permit never got to be under it.
func (v *visit) underTicket(id string) ([]api.EntryRecord, error) {
	const most = 20
	var out []api.EntryRecord
	for _, q := range []api.EntryQuery{{Ticket: id}, {Resource: "ticket/" + id}} {
		q.Limit, q.IncludePatch = most, true
		list, err := v.client.Entries(v.Context(), q)
		if err != nil {
			return nil, err
		}
		out = append(out, list.Items...)
	}
	slices.SortFunc(out, func(a, b api.EntryRecord) int { return cmp.Compare(b.Seq, a.Seq) })
	out = slices.CompactFunc(out, func(a, b api.EntryRecord) bool { return a.Seq == b.Seq })
	return out[:min(most, len(out))], nil
}

// offered are the actions that the ticket's state has.
func (v *visit) offered(t *api.Ticket) []ticketAction {
	var out []ticketAction
	for _, a := range ticketActions {
		switch {
		case !slices.Contains(a.states, t.State), t.Authority != "" && a.Verb != client.Review:
			continue
		case a.Verb == client.Review && !t.ReviewPending, a.Verb == client.Close && t.ReviewPending:
			continue
		case !v.may(a.permission):
			a.Denied = "your role, " + v.session.who.Role + ", may not " + a.permission
		case a.Verb == client.Approve && t.Requester == v.actor(), a.Verb == client.Review && t.Requester == v.actor():
			a.Denied = "you asked for this ticket, so somebody else has to"
		case a.Verb == client.Submit && t.Requester != v.actor():
			a.Denied = "only " + t.Requester + ", who asked for it, can"
		case a.Verb == client.Approve && slices.ContainsFunc(t.Approvals, func(by api.TicketApproval) bool { return by.By == v.actor() }):
			a.Denied = "you have approved it already"
		}
		out = append(out, a)
	}
	return out
}

// actOnTicket does what one of the ticket's forms asks for.
func (v *visit) actOnTicket() (string, error) {
	id := v.PathValue("id")
	back := ticketURL(id)
	verb := client.TicketVerb(v.PostFormValue("action"))
	i := slices.IndexFunc(ticketActions, func(a ticketAction) bool { return a.Verb == verb })
	if i < 0 {
		return back, api.NewProblem(api.CodeMalformed, "a ticket has no such action")
	}
	act := api.TicketAction{Comment: strings.ReplaceAll(strings.TrimSpace(v.PostFormValue("comment")), "\r\n", "\n")}
	if ticketActions[i].Required && act.Comment == "" {
		return back, api.NewProblem(api.CodeInvalid, "say why: a ticket is not rejected without a reason")
	}
	if verb == client.Approve {
		// What was signed off is what was on the page.
		act.EffectsDigest = v.PostFormValue("effects_digest")
	}
	act.Revision, _ = strconv.ParseInt(v.PostFormValue("revision"), 10, 64)
	t, err := v.client.ActOnTicket(v.Context(), id, verb, act)
	if err != nil {
		return back, err
	}
	return v.done(back, "Done: ticket "+t.ID+" is "+t.State+"."), nil
}
