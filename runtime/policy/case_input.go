package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

type fileChange struct {
	Kind      string             `yaml:"kind"`
	Name      string             `yaml:"name"`
	Op        string             `yaml:"op"`
	Before    map[string]any     `yaml:"before"`
	After     map[string]any     `yaml:"after"`
	Owner     *string            `yaml:"owner"`
	Labels    *map[string]string `yaml:"labels"`
	Changed   *[]string          `yaml:"changed"`
	Unplanned bool               `yaml:"unplanned"`
}

type fileTicket struct {
	ID                string   `yaml:"id"`
	Type              string   `yaml:"type"`
	Title             string   `yaml:"title"`
	Requester         string   `yaml:"requester"`
	Approvals         []string `yaml:"approvals"`
	RequiredApprovals *int     `yaml:"required_approvals"`
	Bound             bool     `yaml:"bound"`
	Uses              int      `yaml:"uses"`
	MaxUses           int      `yaml:"max_uses"`
	Authority         string   `yaml:"authority"`
	NotBefore         moment   `yaml:"not_before"`
	NotAfter          moment   `yaml:"not_after"`
}

type fileActor struct {
	Name       string `yaml:"name"`
	Role       string `yaml:"role"`
	Credential string `yaml:"credential"`
	Provider   string `yaml:"provider"`
	Issuer     string `yaml:"issuer"`
	Subject    string `yaml:"subject"`
}

type fileRun struct {
	ID       string            `yaml:"id"`
	Verified bool              `yaml:"verified"`
	Claimed  map[string]string `yaml:"claimed"`
	Proved   map[string]string `yaml:"proved"`
}

// caseNow is the time of cases that don't give one: a Thursday, at noon.
var caseNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// caseWindow is how long a ticket is good for when its case doesn't say.
const caseWindow = 24 * time.Hour

// ticketTypes are those of package ticket.
var ticketTypes = []string{"standard", "normal", emergency}

// parse checks a case and fills in what it leaves out. When it fails, the path leads
// to the value that is wrong.
func (c *fileCase) parse() (out Case, path []any, err error) {
	if strings.TrimSpace(c.Name) == "" {
		return out, nil, errors.New("the case has no name")
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("case %q: "+format, append([]any{c.Name}, args...)...)
	}
	out = Case{Name: c.Name, Expect: c.Expect, By: slices.Sorted(slices.Values(c.By))}
	out.Input.Now = caseNow
	if err := c.Now.into(&out.Input.Now); err != nil {
		return out, []any{"now"}, fail("now %w", err)
	}
	switch c.Expect {
	case ExpectDenied, ExpectError:
	case ExpectAllowed:
		if len(c.By) > 0 {
			return out, []any{"by"}, fail("by names the rules that refuse a change, and this one is expected to be allowed")
		}
	default:
		return out, []any{"expect"}, fail("expect %q must be %s, %s or %s", c.Expect, ExpectAllowed, ExpectDenied, ExpectError)
	}
	field, err := c.Change.into(&out.Input.Change)
	if err != nil {
		return out, []any{"change", field}, fail("%w", err)
	}
	if c.Ticket.Type != "" && !slices.Contains(ticketTypes, c.Ticket.Type) {
		return out, []any{"ticket", "type"}, fail("ticket type %q must be %s", c.Ticket.Type, strings.Join(ticketTypes, ", "))
	}
	out.Input.Ticket = c.Ticket.facts(out.Input.Now)
	if err := c.Ticket.NotBefore.into(&out.Input.Ticket.NotBefore); err != nil {
		return out, []any{"ticket", "not_before"}, fail("not_before %w", err)
	}
	if err := c.Ticket.NotAfter.into(&out.Input.Ticket.NotAfter); err != nil {
		return out, []any{"ticket", "not_after"}, fail("not_after %w", err)
	}
	out.Input.Actor = Actor(c.Actor)
	out.Input.Run = Run(c.Run)
	return out, nil, nil
}

// into checks what is to be changed and derives what is left out: the operation from
// the sides that are there, the address from kind and name, owner and labels from the
// object, and the pointers to what is changed from both sides.
func (c *fileChange) into(out *Change) (field string, err error) {
	*out = Change{Kind: c.Kind, Name: c.Name, Op: c.Op, Unplanned: c.Unplanned}
	address, err := lb.ParseAddress(c.Kind + "/" + c.Name)
	if err != nil {
		return "kind", err
	}
	out.Address = address.String()
	if out.Op == "" {
		out.Op = string(opOf(c.Before != nil, c.After != nil))
	}
	switch op := lb.Op(out.Op); {
	case !slices.Contains(lb.Ops, op):
		return "op", fmt.Errorf("op %q must be one of %v", c.Op, lb.Ops)
	case op == lb.OpCreate && c.Before != nil:
		return "before", errors.New("what is created has no before")
	case op == lb.OpDelete && c.After != nil:
		return "after", errors.New("what is deleted has no after")
	}
	before, err := reread(c.Before, &out.Before)
	if err != nil {
		return "before", err
	}
	after, err := reread(c.After, &out.After)
	if err != nil {
		return "after", err
	}
	subject := out.After
	if subject == nil {
		subject = out.Before
	}
	out.Owner, out.Labels = ownerAndLabels(subject)
	if c.Owner != nil {
		out.Owner = *c.Owner
	}
	if c.Labels != nil {
		out.Labels = *c.Labels
	}
	if c.Changed != nil {
		out.Changed = *c.Changed
		return "", nil
	}
	diff, err := lb.Diff(before, after)
	if err != nil {
		return "after", err
	}
	for _, step := range diff {
		out.Changed = append(out.Changed, step.Path)
	}
	return "", nil
}

func opOf(before, after bool) lb.Op {
	switch {
	case before && after:
		return lb.OpUpdate
	case after:
		return lb.OpCreate
	case before:
		return lb.OpDelete
	}
	return ""
}

// reread takes an object from YAML to what it is when it has come as JSON.
func reread(object map[string]any, into *map[string]any) (jsontext.Value, error) {
	if object == nil {
		return nil, nil
	}
	text, err := json.Marshal(object, json.Deterministic(true))
	if err != nil {
		return nil, errors.New("the object can't be written as JSON")
	}
	return text, json.Unmarshal(text, into)
}

func ownerAndLabels(object map[string]any) (owner string, labels map[string]string) {
	owner, _ = object["owner"].(string)
	labels = map[string]string{}
	all, _ := object["labels"].(map[string]any)
	for name, value := range all {
		if text, ok := value.(string); ok {
			labels[name] = text
		}
	}
	return owner, labels
}

func (t *fileTicket) facts(now time.Time) Ticket {
	out := Ticket{
		ID: t.ID, Type: t.Type, Title: t.Title, Requester: t.Requester, Approvals: t.Approvals, RequiredApprovals: 1,
		Bound: t.Bound, Uses: t.Uses, MaxUses: t.MaxUses, Authority: t.Authority, NotBefore: now, NotAfter: now.Add(caseWindow),
	}
	if out.ID == "" {
		out.ID = "CHG-1"
	}
	if out.Type == "" {
		out.Type = "normal"
	}
	if t.RequiredApprovals != nil {
		out.RequiredApprovals = *t.RequiredApprovals
	}
	return out
}

// moment is a time as it is written; empty for none.
type moment string

// into replaces a default by what is written.
func (m moment) into(at *time.Time) error {
	if m == "" {
		return nil
	}
	parsed, err := time.Parse(time.RFC3339, string(m))
	if err != nil {
		return fmt.Errorf("%q must be an RFC 3339 time, such as 2026-01-31T14:05:00Z", string(m))
	}
	*at = parsed
	return nil
}
