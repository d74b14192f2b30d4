package authority

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// serviceNow reads change requests over the Table API.
//
// A change is approved when its approval field says so and its state is Scheduled
// or Implement. Until then it is pending, and so is one on hold. From Review on it is
// closed: it has been implemented.
type serviceNow struct {
	*exchange
	base   string
	states map[string]ticket.State
}

const (
	serviceNowTime = "2006-01-02 15:04:05"
	// maxServiceNowApprovals is how many approvals are asked for.
	maxServiceNowApprovals = 100

	changeFields = "sys_id,number,state,approval,on_hold,type,short_description,justification,description," +
		"start_date,end_date,requested_by.user_name,opened_by.user_name"
	approverFields = "approver.user_name,state,sys_updated_on"
)

// serviceNowStates is the state model of change requests, by value.
var serviceNowStates = map[string]ticket.State{
	"-5": ticket.Pending, "-4": ticket.Pending, "-3": ticket.Pending, // new, assess, authorize
	"-2": ticket.Approved, "-1": ticket.Approved, // scheduled, implement
	"0": ticket.Closed, "3": ticket.Closed, "4": ticket.Cancelled, // review, closed, canceled
}

var sysIDPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// snValue is a field as sysparm_display_value=all gives it. Of value and display_value
// only the first is kept: it has codes rather than words, and times in UTC.
type snValue string

// UnmarshalJSONFrom implements json.UnmarshalerFrom. A field that the account may
// not read can be an empty text.
func (v *snValue) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '{' {
		var both struct {
			Value string `json:"value"`
		}
		if err := json.UnmarshalDecode(dec, &both); err != nil {
			return err
		}
		*v = snValue(both.Value)
		return nil
	}
	var text string
	if err := json.UnmarshalDecode(dec, &text); err != nil {
		return err
	}
	*v = snValue(text)
	return nil
}

type snChange struct {
	SysID            snValue `json:"sys_id"`
	Number           snValue `json:"number"`
	State            snValue `json:"state"`
	Approval         snValue `json:"approval"`
	OnHold           snValue `json:"on_hold"`
	Type             snValue `json:"type"`
	ShortDescription snValue `json:"short_description"`
	Justification    snValue `json:"justification"`
	Description      snValue `json:"description"`
	StartDate        snValue `json:"start_date"`
	EndDate          snValue `json:"end_date"`
	RequestedBy      snValue `json:"requested_by.user_name"`
	OpenedBy         snValue `json:"opened_by.user_name"`
}

type snApproval struct {
	Approver snValue `json:"approver.user_name"`
	State    snValue `json:"state"`
	Updated  snValue `json:"sys_updated_on"`
}

func (s *serviceNow) read(ctx context.Context, id string) (reading, error) {
	change, err := s.find(ctx, id)
	if err != nil {
		return reading{}, err
	}
	found, err := s.facts(change)
	if err != nil || found.State != ticket.Approved {
		return found, err
	}
	var answer struct {
		Result []snApproval `json:"result"`
	}
	query := "sysapproval=" + string(change.SysID) + "^state=approved"
	if err := s.get(ctx, s.table("sysapproval_approver", query, approverFields, maxServiceNowApprovals), &answer); err != nil {
		return reading{}, s.notAbsent(err)
	}
	for _, a := range answer.Result {
		at, ok := parseTime(string(a.Updated), serviceNowTime)
		if !ok {
			return reading{}, s.ofTicket("an approval's time can't be understood")
		}
		if a.State == "approved" {
			found.Approvals = append(found.Approvals, ticket.Approval{By: string(a.Approver), At: at})
		}
	}
	found.approvedAt = latest(found.Approvals)
	return found, nil
}

// find returns the change with a number. A query that ServiceNow does not understand
// can match anything, numbers are compared regardless of case, and they need not be
// unique: so the answer is held to the number that was asked for.
func (s *serviceNow) find(ctx context.Context, id string) (snChange, error) {
	var answer struct {
		Result []snChange `json:"result"`
	}
	if err := s.get(ctx, s.table("change_request", "number="+id, changeFields, 2), &answer); err != nil {
		return snChange{}, err
	}
	switch {
	case len(answer.Result) == 0 || string(answer.Result[0].Number) != id:
		return snChange{}, ErrNotFound
	case len(answer.Result) > 1:
		return snChange{}, s.ofTicket("several change requests have this number")
	case !sysIDPattern.MatchString(string(answer.Result[0].SysID)):
		return snChange{}, s.ofTicket("our account may not read sys_id")
	}
	return answer.Result[0], nil
}

func (s *serviceNow) facts(c snChange) (reading, error) {
	notBefore, ok := parseTime(string(c.StartDate), serviceNowTime)
	notAfter, alsoOK := parseTime(string(c.EndDate), serviceNowTime)
	if !ok || !alsoOK {
		return reading{}, s.ofTicket("the ticket's window can't be understood")
	}
	if c.State == "" || c.Approval == "" {
		return reading{}, s.ofTicket("our account may not read state and approval")
	}
	return reading{Facts: ticket.Facts{
		State: s.state(c), Type: ticket.Type(c.Type), Title: string(c.ShortDescription),
		Reason:    firstOf(string(c.Justification), string(c.Description)),
		Requester: firstOf(string(c.RequestedBy), string(c.OpenedBy)),
		URL:       s.base + "/nav_to.do?uri=" + url.QueryEscape("change_request.do?sys_id="+string(c.SysID)),
		NotBefore: notBefore, NotAfter: notAfter,
	}}, nil
}

func (s *serviceNow) state(c snChange) ticket.State {
	state, known := stateOf(s.states, string(c.State))
	if !known {
		state, known = stateOf(serviceNowStates, string(c.State))
	}
	switch {
	case !known:
		return ticket.Pending
	case state != ticket.Approved && state != ticket.Pending:
		return state
	case c.Approval == "rejected":
		return ticket.Rejected
	case c.Approval != "approved" || c.OnHold == "true":
		return ticket.Pending
	}
	return state
}

// comment adds to the change's work notes, which requesters don't see.
func (s *serviceNow) comment(ctx context.Context, id, text string) error {
	change, err := s.find(ctx, id)
	if err != nil {
		return err
	}
	target := fmt.Sprintf("%s/api/now/table/change_request/%s?sysparm_fields=sys_id", s.base, change.SysID)
	return s.put(ctx, http.MethodPatch, target, map[string]string{"work_notes": text})
}

func (s *serviceNow) table(name, query, fields string, limit int) string {
	q := url.Values{
		"sysparm_query": {query}, "sysparm_fields": {fields}, "sysparm_limit": {fmt.Sprint(limit)},
		"sysparm_display_value": {"all"}, "sysparm_exclude_reference_link": {"true"},
	}
	return s.base + "/api/now/table/" + name + "?" + q.Encode()
}

// notAbsent is for what belongs to a ticket that is there: its absence is a failure.
func (x *exchange) notAbsent(err error) error {
	if errors.Is(err, ErrNotFound) {
		return x.ofTicket("a part of the ticket is not found")
	}
	return err
}

// firstOf returns the first text that says something.
func firstOf(texts ...string) string {
	for _, t := range texts {
		if strings.TrimSpace(t) != "" {
			return t
		}
	}
	return ""
}
