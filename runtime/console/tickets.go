package console

import (
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

var ticketsPage = page{name: "tickets", path: "/tickets", nav: "Tickets", show: (*visit).tickets}

// ticketStates are the states that the list can be narrowed to.
var ticketStates = []string{"draft", "pending", "approved", "closed", "rejected", "expired", "cancelled"}

// ticketsData is what the list of tickets shows.
type ticketsData struct {
	Filters filters
	States  []string
	// Pending are those that wait for approval; they stand first where no state is asked for.
	Pending []api.Ticket
	// MorePending is set when there are more of them.
	MorePending bool
	Tickets     []api.Ticket
	Older       string
}

func (v *visit) tickets() (view, error) {
	data := ticketsData{Filters: v.filters([]string{"state"}), States: ticketStates}
	state, page := data.Filters.Get("state"), v.page()
	if state == "" && page.Cursor == "" {
		pending, err := v.client.Tickets(v.Context(), "pending", client.Page{})
		if err != nil {
			return view{}, err
		}
		data.Pending, data.MorePending = pending.Items, pending.Next != ""
	}
	list, err := v.client.Tickets(v.Context(), state, page)
	if err != nil {
		return view{}, err
	}
	if data.Tickets = list.Items; data.Pending != nil {
		data.Tickets = slices.DeleteFunc(data.Tickets, func(t api.Ticket) bool {
			return slices.ContainsFunc(data.Pending, func(p api.Ticket) bool { return p.ID == t.ID })
		})
	}
	if list.Next != "" {
		data.Older = data.Filters.With("cursor", list.Next)
	}
	return view{title: "Tickets", data: data}, nil
}
