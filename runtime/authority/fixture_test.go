package authority_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

const (
	// secret is what our account shows; leak is what hostile answers contain. Neither
	// may be in an error.
	secret = "s3cret-of-ours"
	leak   = "LEAKED-BY-THE-OTHER-SIDE"

	sysID = "1c741bd70b2322007518478d83673af3"
)

// server answers as an authority does, and keeps what was asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
	bodies   []string
	headers  []http.Header
	// answers are by method and path.
	answers map[string]string
}

func serve(t testing.TB, answers map[string]string) *server {
	t.Helper()
	s := &server{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	s.bodies = append(s.bodies, string(body))
	s.headers = append(s.headers, r.Header)
	answer, ok := s.answers[r.Method+" "+r.URL.Path]
	if paged, has := s.answers[r.Method+" "+r.URL.Path+"?page="+r.URL.Query().Get("page")]; has {
		answer, ok = paged, true
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=2>; rel="next"`, r.Host, r.URL.Path))
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"Not Found"}`)
		return
	}
	fmt.Fprint(w, answer)
}

// asked returns the requests so far.
func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *server) lastBody() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies[len(s.bodies)-1]
}

// kind is a type of authority with a ticket that is approved.
type kind struct {
	id      string
	config  authority.Config
	answers map[string]string
}

func kinds() map[string]kind {
	base := func(of authority.Type) authority.Config {
		return authority.Config{Name: "prod", Type: of, Scope: []string{"pool/*"}, Token: authority.NewSecret(secret), Timeout: 10 * time.Second}
	}
	snow, jira, issue, pull, plain := base(authority.ServiceNow), base(authority.Jira), base(authority.GitHub), base(authority.GitHub), base(authority.HTTP)
	snow.User, snow.Password, snow.Token = "auditlb", authority.NewSecret(secret), authority.Secret{}
	jira.Pattern, jira.States = "OPS-[0-9]+", map[string]ticket.State{"Approved": ticket.Approved, "Implementing": ticket.Approved, "Declined": ticket.Rejected}
	issue.GitHub = authority.GitHubConfig{Repository: "acme/infra", Label: "change-approved"}
	pull.GitHub = authority.GitHubConfig{Repository: "acme/infra", PullRequests: true}
	plain.Pattern = "REQ-[0-9]+"
	plain.States = map[string]ticket.State{"ok": ticket.Approved, "open": ticket.Pending, "no": ticket.Rejected, "gone": ticket.Cancelled, "done": ticket.Closed}
	plain.HTTP.Fields = map[string]string{
		"id": "/change/ref", "state": "/change/status", "type": "/change/kind", "title": "/change/title", "reason": "/change/why", "url": "/change/link",
		"requester": "/change/people/0", "approvers": "/change/approved~1by", "approved_at": "/change/approved_at", "not_before": "/change/from", "not_after": "/change/to",
	}
	return map[string]kind{
		"servicenow": {"CHG0030001", snow, map[string]string{
			"GET /api/now/table/change_request":            snowChange("-1", "approved", "false"),
			"GET /api/now/table/sysapproval_approver":      snowApprovals("bob", "carol"),
			"PATCH /api/now/table/change_request/" + sysID: `{"result":{"sys_id":{"display_value":"` + sysID + `","value":"` + sysID + `"}}}`,
		}},
		"jira": {"OPS-7", jira, map[string]string{
			"GET /rest/api/2/issue/OPS-7":          jiraIssue("Approved", "indeterminate", jiraMove("bob", "2026-03-01T09:00:00.000+0100", "In Review", "Approved")),
			"POST /rest/api/2/issue/OPS-7/comment": `{"id":"10000","body":"…"}`,
		}},
		"github issue": {"GH-12", issue, map[string]string{
			"GET /repos/acme/infra/issues/12":           ghIssue("open", "", "change-approved"),
			"GET /repos/acme/infra/issues/12/events":    `[` + ghEvent("labeled", "bob", "change-approved") + `]`,
			"POST /repos/acme/infra/issues/12/comments": `{"id":1}`,
		}},
		"github pull request": {"PR-34", pull, map[string]string{
			"GET /repos/acme/infra/pulls/34":            ghPull("open", false, `null`, `null`),
			"GET /repos/acme/infra/pulls/34/reviews":    `[` + ghReview("bob", "APPROVED", "head", "MEMBER") + `]`,
			"POST /repos/acme/infra/issues/34/comments": `{"id":1}`,
		}},
		"http": {"REQ-5", plain, map[string]string{
			"GET /tickets/REQ-5":           httpTicket("ok", `["bob","carol"]`),
			"POST /tickets/REQ-5/comments": `{}`,
		}},
	}
}

// at points a configuration at a server.
func (k kind) at(t testing.TB, base string, change func(*authority.Config)) authority.Authority {
	t.Helper()
	cfg := k.config
	cfg.URL = base
	if cfg.Type == authority.HTTP {
		cfg.URL, cfg.HTTP.CommentURL = base+"/tickets/{id}", base+"/tickets/{id}/comments"
	}
	if change != nil {
		change(&cfg)
	}
	a, err := authority.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// read sets one answer and reads the kind's ticket.
func (k kind) read(t *testing.T, changed map[string]string, change func(*authority.Config)) (ticket.Facts, error) {
	t.Helper()
	answers := map[string]string{}
	for _, m := range []map[string]string{k.answers, changed} {
		for at, answer := range m {
			answers[at] = answer
		}
	}
	return k.at(t, serve(t, answers).URL, change).Read(t.Context(), k.id)
}

func both(value, display string) string {
	return fmt.Sprintf(`{"display_value":%q,"value":%q}`, display, value)
}

func snowChange(state, approval, onHold string) string {
	return `{"result":[` + snowRecord(state, approval, onHold, "CHG0030001") + `]}`
}

func snowRecord(state, approval, onHold, number string) string {
	return `{"sys_id":` + both(sysID, sysID) + `,"number":` + both(number, number) + `,"state":` + both(state, "some word") +
		`,"approval":` + both(approval, "Some word") + `,"on_hold":` + both(onHold, onHold) + `,"type":` + both("standard", "Standard") +
		`,"short_description":` + both("Move the shop", "Move the shop") + `,"justification":` + both("Larger machines", "Larger machines") +
		`,"description":` + both("", "") + `,"start_date":` + both("2026-03-01 09:00:00", "2026-03-01 01:00:00") +
		`,"end_date":` + both("2026-03-01 11:00:00", "2026-03-01 03:00:00") +
		`,"requested_by.user_name":` + both("alice", "alice") + `,"opened_by.user_name":""}`
}

func snowApprovals(names ...string) string {
	var rows []string
	for _, name := range names {
		rows = append(rows, `{"approver.user_name":`+both(name, name)+`,"state":`+both("approved", "Approved")+`,"sys_updated_on":`+both("2026-02-27 10:00:00", "2026-02-27 02:00:00")+`}`)
	}
	return `{"result":[` + strings.Join(rows, ",") + `]}`
}

func jiraIssue(status, category string, histories ...string) string {
	return fmt.Sprintf(`{"expand":"changelog","id":"10002","key":"OPS-7","fields":{"summary":"Move the shop","description":"Larger machines",
		"status":{"id":"3","name":%q,"statusCategory":{"id":4,"key":%q}},"reporter":{"name":"alice","displayName":"Alice Example"},
		"creator":{"accountId":"5b10ac8d82e05b22cc7d4ef5","displayName":"Portal"},"customfield_1":"2026-03-01T09:00:00.000+0100","customfield_2":"2026-03-02",
		"customfield_3":{"self":"x","value":"Emergency","id":"1"},"customfield_4":[{"accountId":"5b10a2844c20165700ede21g","emailAddress":"bob@example.com"},{"name":"carol"}]},
		"changelog":{"startAt":0,"total":1,"histories":[%s]}}`, status, category, strings.Join(histories, ","))
}

func jiraMove(by, at, from, to string) string {
	return fmt.Sprintf(`{"id":"1","author":{"name":%q},"created":%q,"items":[{"field":"labels","toString":"x"},{"field":"status","fieldtype":"jira","from":"1","fromString":%q,"to":"3","toString":%q}]}`, by, at, from, to)
}

func ghIssue(state, reason, label string) string {
	return fmt.Sprintf(`{"number":12,"title":"Move the shop","body":"Larger machines","html_url":"https://github.com/acme/infra/issues/12","state":%q,"state_reason":%q,"user":{"login":"alice","type":"User"},"labels":[{"name":"other"},{"name":%q}]}`, state, reason, label)
}

func ghEvent(event, by, label string) string {
	return fmt.Sprintf(`{"event":%q,"actor":{"login":%q,"type":"User"},"label":{"name":%q,"color":"f00"},"created_at":"2026-03-01T08:00:00Z"}`, event, by, label)
}

func ghPull(state string, draft bool, mergedAt, mergedBy string) string {
	return fmt.Sprintf(`{"number":34,"title":"Move the shop","body":null,"html_url":"https://github.com/acme/infra/pull/34","state":%q,"draft":%t,"user":{"login":"alice","type":"User"},
		"merged":%t,"merged_at":%s,"merged_by":%s,"head":{"sha":"head"},"labels":[]}`, state, draft, mergedAt != "null", mergedAt, mergedBy)
}

func ghReview(by, state, commit, association string) string {
	return fmt.Sprintf(`{"user":{"login":%q,"type":"User"},"state":%q,"commit_id":%q,"author_association":%q,"submitted_at":"2026-03-01T08:00:00Z"}`, by, state, commit, association)
}

func httpTicket(state, approvers string) string {
	return fmt.Sprintf(`{"change":{"ref":"REQ-5","status":%q,"kind":"standard","title":"Move the shop","why":"Larger machines","link":"https://tickets.example.com/REQ-5","people":["alice"],
		"approved/by":%s,"approved_at":"2026-02-27T10:00:00Z","from":"2026-03-01T10:00:00+01:00","to":null}}`, state, approvers)
}

func names(approvals []ticket.Approval) []string {
	all := []string{}
	for _, a := range approvals {
		all = append(all, a.By)
	}
	return all
}
