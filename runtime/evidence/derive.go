package evidence

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// derivedNames are the files of a bundle that are derived from its manifest and
// proofs, in their order.
var derivedNames = []string{nameReadme, nameSummary, nameEntries, nameTickets, nameCheck}

// derive makes the files that are derived.
//
// Invariant: nothing but the bundle goes in, and the same bundle comes out the
// same, whoever derives it and when.
func (b *Bundle) derive() (map[string][]byte, error) {
	var entries []api.EntryRecord
	for i := range b.Proofs {
		e, err := recordOf(&b.Proofs[i])
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	tickets, err := ticketsOf(entries)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{nameReadme: []byte(readme)}
	if len(b.Proofs) > 0 {
		out[nameCheck] = b.Proofs[0].Checkpoint
	}
	if out[nameEntries], err = indented(entries); err != nil {
		return nil, err
	}
	if out[nameTickets], err = indented(tickets); err != nil {
		return nil, err
	}
	if out[nameSummary], err = b.summary(entries, tickets); err != nil {
		return nil, err
	}
	return out, nil
}

// recordOf is a proved entry as the API shows it.
func recordOf(p *audit.Proof) (e api.EntryRecord, err error) {
	e.LeafHash = tlog.RecordHash(p.Leaf).String()
	if err := json.Unmarshal(p.Leaf, &e.Entry); err != nil {
		return e, fmt.Errorf("entry %d can't be read", p.Seq)
	}
	if p.Body == nil {
		return e, nil
	}
	e.Body = &api.EntryBody{}
	if err := json.Unmarshal(p.Body, e.Body); err != nil {
		return e, fmt.Errorf("the body of entry %d can't be read", p.Seq)
	}
	if e.Patch, err = lb.Diff(e.Body.Before, e.Body.After); err != nil {
		return e, fmt.Errorf("the body of entry %d can't be compared", p.Seq)
	}
	return e, nil
}

// ticketState is a ticket as the last of its entries in a bundle left it.
type ticketState struct {
	// Seq is that entry, and Later the first after it whose body is not here: what
	// became of the ticket since is not known.
	Seq    int64  `json:"seq"`
	Later  int64  `json:"later_without_body,omitzero"`
	Ticket ticket `json:"ticket"`
}

// ticket is what people want to know of a ticket.
type ticket struct {
	ID          string     `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Reason      string     `json:"reason"`
	URL         string     `json:"url,omitzero"`
	State       string     `json:"state"`
	Requester   string     `json:"requester"`
	RequestedAt time.Time  `json:"requested_at"`
	NotBefore   time.Time  `json:"not_before"`
	NotAfter    time.Time  `json:"not_after,omitzero"`
	Authority   string     `json:"authority,omitzero"`
	Approvals   []approval `json:"approvals"`
	Review      *approval  `json:"review,omitzero"`
}

type approval struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitzero"`
	Effects string    `json:"effects_digest,omitzero"`
}

func ticketsOf(entries []api.EntryRecord) ([]ticketState, error) {
	last := map[string]ticketState{}
	for _, e := range entries {
		if e.Type != string(audit.TypeTicket) || e.Outcome != audit.OutcomeOK {
			continue
		}
		if e.Body == nil {
			id := strings.TrimPrefix(e.Resource, "ticket/")
			if s, ok := last[id]; ok && s.Later == 0 {
				s.Later = e.Seq
				last[id] = s
			}
			continue
		}
		if e.Body.After == nil {
			continue
		}
		s := ticketState{Seq: e.Seq}
		if err := json.Unmarshal(e.Body.After, &s.Ticket); err != nil {
			return nil, fmt.Errorf("the ticket of entry %d can't be read", e.Seq)
		}
		last[s.Ticket.ID] = s
	}
	out := make([]ticketState, 0, len(last))
	for _, s := range last {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b ticketState) int { return strings.Compare(a.Ticket.ID, b.Ticket.ID) })
	return out, nil
}

//go:embed summary.html.tmpl
var summaryText string

//go:embed README.txt
var readme string

var summaryTemplate = template.Must(template.New("summary").Funcs(template.FuncMap{
	"at":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"path":  attribute,
	"value": func(v []byte) string { return string(v) },
	"whole": wholeObject,
}).Parse(summaryText))

// attribute writes a JSON pointer as people write attributes.
func attribute(pointer string) string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return strings.Join(parts, ".")
}

// wholeObject shows an object that was made or deleted, indented.
func wholeObject(v []byte) string {
	var value any
	if json.Unmarshal(v, &value) != nil {
		return string(v)
	}
	text, err := indented(value)
	if err != nil {
		return string(v)
	}
	return string(text)
}

// summaryPage is what the summary shows.
type summaryPage struct {
	Manifest   Manifest
	Checkpoint audit.Checkpoint
	Entries    []api.EntryRecord
	Tickets    []ticketState
	Applied    int
	Refused    int
	Emergency  bool
}

func (b *Bundle) summary(entries []api.EntryRecord, tickets []ticketState) ([]byte, error) {
	page := summaryPage{Manifest: b.Manifest, Entries: entries, Tickets: tickets}
	if len(b.Proofs) > 0 {
		cp, err := audit.ReadCheckpoint(b.Proofs[0].Checkpoint)
		if err != nil {
			return nil, err
		}
		page.Checkpoint = cp
	}
	for _, e := range entries {
		switch {
		case e.Outcome == audit.OutcomeRefused:
			page.Refused++
		case e.Type == string(audit.TypeApply):
			page.Applied++
		}
		page.Emergency = page.Emergency || e.Emergency
	}
	var out bytes.Buffer
	if err := summaryTemplate.Execute(&out, page); err != nil {
		return nil, fmt.Errorf("write the summary: %w", err)
	}
	return out.Bytes(), nil
}
