package authority

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Fields of a ticket that type http can be told where to find.
const (
	fieldState      = "state"
	fieldID         = "id"
	fieldType       = "type"
	fieldTitle      = "title"
	fieldReason     = "reason"
	fieldURL        = "url"
	fieldRequester  = "requester"
	fieldApprovers  = "approvers"
	fieldApprovedAt = "approved_at"
	fieldNotBefore  = "not_before"
	fieldNotAfter   = "not_after"
)

var httpFields = []string{
	fieldState, fieldID, fieldType, fieldTitle, fieldReason, fieldURL, fieldRequester,
	fieldApprovers, fieldApprovedAt, fieldNotBefore, fieldNotAfter,
}

// plainHTTP reads tickets of any service that answers with JSON. What a word for the
// state means is configured; without that, our own words mean what they say.
type plainHTTP struct {
	*exchange
	url, commentURL string
	fields          map[string]string
	states          map[string]ticket.State
}

func (p *plainHTTP) read(ctx context.Context, id string) (reading, error) {
	var document any
	if err := p.get(ctx, expand(p.url, id), &document); err != nil {
		return reading{}, err
	}
	if _, asked := p.fields[fieldID]; asked {
		switch said, ok := p.text(document, fieldID); {
		case !ok || said == "":
			return reading{}, p.ofTicket("there is no id where it is looked for")
		case said != id:
			return reading{}, ErrNotFound
		}
	}
	texts := map[string]string{}
	for _, name := range []string{fieldState, fieldType, fieldTitle, fieldReason, fieldURL, fieldRequester} {
		var ok bool
		if texts[name], ok = p.text(document, name); !ok {
			return reading{}, p.ofTicket("the field " + name + " is not a text")
		}
	}
	if texts[fieldState] == "" {
		return reading{}, p.ofTicket("there is no state where it is looked for")
	}
	times := map[string]time.Time{}
	for _, name := range []string{fieldNotBefore, fieldNotAfter, fieldApprovedAt} {
		text, ok := p.text(document, name)
		if times[name], ok = parseTimeIf(ok, text); !ok {
			return reading{}, p.ofTicket("the field " + name + " is not a time (RFC 3339)")
		}
	}
	found := reading{approvedAt: times[fieldApprovedAt], Facts: ticket.Facts{
		State: p.state(texts[fieldState]), Type: ticket.Type(texts[fieldType]), Title: texts[fieldTitle], Reason: texts[fieldReason],
		URL: texts[fieldURL], Requester: texts[fieldRequester], NotBefore: times[fieldNotBefore], NotAfter: times[fieldNotAfter],
	}}
	approvers, ok := p.approvers(document)
	if !ok {
		return reading{}, p.ofTicket("the field approvers is neither a text nor a list of texts")
	}
	for _, by := range approvers {
		found.Approvals = append(found.Approvals, ticket.Approval{By: by, At: found.approvedAt})
	}
	return found, nil
}

func (p *plainHTTP) state(word string) ticket.State {
	if len(p.states) > 0 {
		state, _ := stateOf(p.states, word)
		return state
	}
	if state := ticket.State(word); slices.Contains(told, state) {
		return state
	}
	return ticket.Pending
}

// text returns a field's text: "" when it is not configured, absent or null. Numbers
// are not texts.
func (p *plainHTTP) text(document any, name string) (string, bool) {
	switch v := p.at(document, name).(type) {
	case nil:
		return "", true
	case string:
		return v, true
	}
	return "", false
}

func (p *plainHTTP) approvers(document any) ([]string, bool) {
	switch v := p.at(document, fieldApprovers).(type) {
	case nil:
		return nil, true
	case string:
		return []string{v}, true
	case []any:
		names := make([]string, 0, len(v))
		for _, element := range v {
			name, ok := element.(string)
			if !ok {
				return nil, false
			}
			names = append(names, name)
		}
		return names, true
	}
	return nil, false
}

func (p *plainHTTP) at(document any, name string) any {
	pointer, ok := p.fields[name]
	if !ok {
		return nil
	}
	return resolve(document, pointer)
}

func (p *plainHTTP) comment(ctx context.Context, id, text string) error {
	return p.put(ctx, http.MethodPost, expand(p.commentURL, id), map[string]string{"id": id, "text": text})
}

// expand puts an id into a URL.
func expand(template, id string) string {
	return strings.ReplaceAll(template, "{id}", url.PathEscape(id))
}

func parseTimeIf(ok bool, text string) (time.Time, bool) {
	if !ok {
		return time.Time{}, false
	}
	return parseTime(text, time.RFC3339)
}

func validPointer(pointer string) bool {
	return pointer != "" && len(pointer) <= 200 && jsontext.Pointer(pointer).IsValid()
}

// resolve follows a JSON pointer (RFC 6901, section 4); nil is where there is nothing.
func resolve(document any, pointer string) any {
	for token := range jsontext.Pointer(pointer).Tokens() {
		switch v := document.(type) {
		case map[string]any:
			document = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) || strconv.Itoa(i) != token {
				return nil
			}
			document = v[i]
		default:
			return nil
		}
	}
	return document
}
