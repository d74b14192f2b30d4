package authority

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// jira reads issues over version 2 of the REST API, which Cloud, Data Center and
// Server share.
//
// What a status means is configured by its name. Another one is closed when Jira
// counts it as done, and pending otherwise. Unless a field names the approvers,
// whoever moved the issue from a status that is not approved into one that is has
// approved it; an issue without such a move is pending.
type jira struct {
	*exchange
	base   string
	states map[string]ticket.State
	cfg    JiraConfig
}

func newJira(cfg *Config, x *exchange) *jira {
	return &jira{exchange: x, base: cfg.URL, states: cfg.States, cfg: cfg.Jira}
}

const (
	jiraTime = "2006-01-02T15:04:05.999-0700"
	jiraDate = "2006-01-02"
)

type jiraIssue struct {
	Key       string                    `json:"key"`
	Fields    map[string]jsontext.Value `json:"fields"`
	Changelog struct {
		Histories []jiraHistory `json:"histories"`
	} `json:"changelog"`
}

// field returns a configured field, nothing when none is configured.
func (i *jiraIssue) field(name string) jsontext.Value {
	if name == "" {
		return nil
	}
	return i.Fields[name]
}

type jiraStatus struct {
	Name     string `json:"name"`
	Category struct {
		Key string `json:"key"`
	} `json:"statusCategory"`
}

type jiraHistory struct {
	Author  jiraUser `json:"author"`
	Created string   `json:"created"`
	Items   []struct {
		Field string `json:"field"`
		From  string `json:"fromString"`
		To    string `json:"toString"`
	} `json:"items"`
	at time.Time
}

// jiraUser is a person. Cloud has no user names and shows addresses only to some.
type jiraUser struct {
	Name         string `json:"name"`
	EmailAddress string `json:"emailAddress"`
	AccountID    string `json:"accountId"`
	DisplayName  string `json:"displayName"`
}

func (u jiraUser) String() string {
	return firstOf(u.Name, u.EmailAddress, u.AccountID, u.DisplayName)
}

func (j *jira) read(ctx context.Context, id string) (reading, error) {
	fields := []string{"summary", "description", "status", "reporter", "creator"}
	for _, f := range []string{j.cfg.ApproversField, j.cfg.NotBeforeField, j.cfg.NotAfterField, j.cfg.TypeField} {
		if f != "" {
			fields = append(fields, f)
		}
	}
	q := url.Values{"fields": {strings.Join(fields, ",")}}
	if j.cfg.ApproversField == "" {
		q.Set("expand", "changelog")
	}
	var issue jiraIssue
	if err := j.get(ctx, j.base+"/rest/api/2/issue/"+url.PathEscape(id)+"?"+q.Encode(), &issue); err != nil {
		return reading{}, err
	}
	// Jira finds issues by former keys too, and regardless of case.
	if issue.Key != id {
		return reading{}, ErrNotFound
	}
	return j.facts(&issue)
}

func (j *jira) facts(issue *jiraIssue) (reading, error) {
	var (
		found             reading
		status            jiraStatus
		reporter, creator jiraUser
	)
	for name, into := range map[string]any{
		"summary": &found.Title, "description": &found.Reason, "status": &status, "reporter": &reporter, "creator": &creator,
	} {
		if value := issue.Fields[name]; len(value) > 0 && json.Unmarshal(value, into) != nil {
			return reading{}, j.ofTicket("the field " + name + " can't be understood")
		}
	}
	if status.Name == "" {
		return reading{}, j.ofTicket("our account may not read the status")
	}
	found.URL = j.base + "/browse/" + issue.Key
	found.Requester = firstOf(reporter.String(), creator.String())
	found.Type = typeOf(optionText(issue.field(j.cfg.TypeField)))
	found.State = j.state(status)
	var ok bool
	if found.NotBefore, ok = jiraWindow(issue.field(j.cfg.NotBeforeField), 0); !ok {
		return reading{}, j.ofTicket("the field " + j.cfg.NotBeforeField + " can't be understood")
	}
	if found.NotAfter, ok = jiraWindow(issue.field(j.cfg.NotAfterField), 24*time.Hour); !ok {
		return reading{}, j.ofTicket("the field " + j.cfg.NotAfterField + " can't be understood")
	}
	if found.State != ticket.Approved {
		return found, nil
	}
	err := j.approvals(issue, &found)
	return found, err
}

func (j *jira) state(s jiraStatus) ticket.State {
	if state, ok := stateOf(j.states, s.Name); ok {
		return state
	}
	if s.Category.Key == "done" {
		return ticket.Closed
	}
	return ticket.Pending
}

// approvals finds who approved an issue whose status is approved.
func (j *jira) approvals(issue *jiraIssue, found *reading) error {
	if j.cfg.ApproversField != "" {
		people, ok := jiraPeople(issue.field(j.cfg.ApproversField))
		if !ok {
			return j.ofTicket("the field " + j.cfg.ApproversField + " can't be understood")
		}
		for _, p := range people {
			found.Approvals = append(found.Approvals, ticket.Approval{By: p.String()})
		}
	} else {
		by, at, ok := j.approvingMove(issue.Changelog.Histories)
		if !ok {
			return j.ofTicket("the ticket's history can't be understood")
		}
		if by != "" {
			found.Approvals = []ticket.Approval{{By: by, At: at}}
			found.approvedAt = at
		}
	}
	// A history can be cut short, and a field empty: then nobody is known to have approved.
	if len(found.Approvals) == 0 {
		found.State = ticket.Pending
	}
	return nil
}

// approvingMove returns who last moved the issue into an approved status from one
// that isn't, and when. The order of histories is not documented.
func (j *jira) approvingMove(histories []jiraHistory) (by string, at time.Time, ok bool) {
	for i := range histories {
		if histories[i].at, ok = parseTime(histories[i].Created, jiraTime); !ok {
			return "", time.Time{}, false
		}
	}
	slices.SortStableFunc(histories, func(a, b jiraHistory) int { return a.at.Compare(b.at) })
	for _, h := range histories {
		for _, item := range h.Items {
			if item.Field != "status" {
				continue
			}
			from, _ := stateOf(j.states, item.From)
			to, _ := stateOf(j.states, item.To)
			switch {
			case to != ticket.Approved:
				by, at = "", time.Time{}
			case from != ticket.Approved:
				by, at = h.Author.String(), h.at
			}
		}
	}
	return by, at, true
}

func (j *jira) comment(ctx context.Context, id, text string) error {
	return j.put(ctx, http.MethodPost, j.base+"/rest/api/2/issue/"+url.PathEscape(id)+"/comment", map[string]string{"body": text})
}

// jiraPeople reads a field of one user or of several.
func jiraPeople(value jsontext.Value) ([]jiraUser, bool) {
	var one jiraUser
	var several []jiraUser
	switch value.Kind() {
	case '[':
		return several, json.Unmarshal(value, &several) == nil
	case '{':
		err := json.Unmarshal(value, &one)
		return []jiraUser{one}, err == nil
	case 'n':
		return nil, true
	}
	return nil, len(value) == 0
}

// jiraWindow reads an end of the window. A date stands for its beginning in UTC, plus
// what is given.
func jiraWindow(value jsontext.Value, plus time.Duration) (time.Time, bool) {
	var text string
	if len(value) > 0 && json.Unmarshal(value, &text) != nil {
		return time.Time{}, false
	}
	if day, err := time.Parse(jiraDate, text); err == nil {
		return day.Add(plus), true
	}
	return parseTime(text, jiraTime, time.RFC3339)
}

// optionText reads a text, or what an option is called.
func optionText(value jsontext.Value) string {
	var text string
	var option struct {
		Value string `json:"value"`
		Name  string `json:"name"`
	}
	if len(value) == 0 || json.Unmarshal(value, &text) == nil || json.Unmarshal(value, &option) != nil {
		return text
	}
	return firstOf(option.Value, option.Name)
}
