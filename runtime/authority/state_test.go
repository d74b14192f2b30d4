package authority_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at.UTC()
}

func TestWhatAnApprovedTicketTells(t *testing.T) {
	facts := func(change func(*ticket.Facts)) ticket.Facts {
		f := ticket.Facts{
			Type: ticket.Normal, Title: "Move the shop", Reason: "Larger machines", Requester: "alice", State: ticket.Approved,
			Scope: ticket.Scope{Addresses: []string{"pool/*"}},
		}
		change(&f)
		return f
	}
	want := map[string]ticket.Facts{
		"servicenow": facts(func(f *ticket.Facts) {
			f.ID, f.Type = "CHG0030001", ticket.Standard
			f.NotBefore, f.NotAfter = instant("2026-03-01T09:00:00Z"), instant("2026-03-01T11:00:00Z")
			f.Approvals = []ticket.Approval{{By: "bob", At: instant("2026-02-27T10:00:00Z")}, {By: "carol", At: instant("2026-02-27T10:00:00Z")}}
			f.URL = "/nav_to.do?uri=change_request.do%3Fsys_id%3D" + sysID
		}),
		"jira": facts(func(f *ticket.Facts) {
			f.ID, f.URL = "OPS-7", "/browse/OPS-7"
			f.Approvals = []ticket.Approval{{By: "bob", At: instant("2026-03-01T08:00:00Z")}}
		}),
		"github issue": facts(func(f *ticket.Facts) {
			f.ID, f.URL = "GH-12", "https://github.com/acme/infra/issues/12"
			f.Approvals = []ticket.Approval{{By: "bob", At: instant("2026-03-01T08:00:00Z")}}
		}),
		"github pull request": facts(func(f *ticket.Facts) {
			f.ID, f.URL, f.Reason = "PR-34", "https://github.com/acme/infra/pull/34", "Move the shop"
			f.Approvals = []ticket.Approval{{By: "bob", At: instant("2026-03-01T08:00:00Z")}}
			f.NotBefore, f.NotAfter = instant("2026-03-01T08:00:00Z"), instant("2026-03-02T08:00:00Z")
		}),
		"http": facts(func(f *ticket.Facts) {
			f.ID, f.URL, f.Type = "REQ-5", "https://tickets.example.com/REQ-5", ticket.Standard
			f.NotBefore = instant("2026-03-01T09:00:00Z")
			f.Approvals = []ticket.Approval{{By: "bob", At: instant("2026-02-27T10:00:00Z")}, {By: "carol", At: instant("2026-02-27T10:00:00Z")}}
		}),
	}
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, k.answers)
			got, err := k.at(t, srv.URL, nil).Read(t.Context(), k.id)
			if err != nil {
				t.Fatal(err)
			}
			got.URL = strings.TrimPrefix(got.URL, srv.URL)
			if diff := cmp.Diff(want[name], got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			for _, h := range srv.headers {
				if h.Get("User-Agent") != "auditlb" || h.Get("Authorization") == "" {
					t.Errorf("headers are %v", h)
				}
			}
		})
	}
}

func TestEveryStateBecomesOneOfOurs(t *testing.T) {
	snow, jira, issues, pulls, plain := "GET /api/now/table/change_request", "GET /rest/api/2/issue/OPS-7", "GET /repos/acme/infra/issues/12", "GET /repos/acme/infra/pulls/34", "GET /tickets/REQ-5"
	bob := `{"login":"bob","type":"User"}`
	approved := jiraMove("bob", "2026-03-01T09:00:00.000+0100", "In Review", "Approved")
	tests := []struct {
		name, kind string
		answers    map[string]string
		state      ticket.State
		approvers  []string
	}{
		{"new", "servicenow", map[string]string{snow: snowChange("-5", "not requested", "false")}, ticket.Pending, nil},
		{"assess", "servicenow", map[string]string{snow: snowChange("-4", "requested", "false")}, ticket.Pending, nil},
		{"authorize, though approved", "servicenow", map[string]string{snow: snowChange("-3", "approved", "false")}, ticket.Pending, nil},
		{"authorize, rejected", "servicenow", map[string]string{snow: snowChange("-3", "rejected", "false")}, ticket.Rejected, nil},
		{"scheduled", "servicenow", map[string]string{snow: snowChange("-2", "approved", "false")}, ticket.Approved, []string{"bob", "carol"}},
		{"scheduled, not approved", "servicenow", map[string]string{snow: snowChange("-2", "requested", "false")}, ticket.Pending, nil},
		{"implement", "servicenow", map[string]string{snow: snowChange("-1", "approved", "false")}, ticket.Approved, []string{"bob", "carol"}},
		{"implement, on hold", "servicenow", map[string]string{snow: snowChange("-1", "approved", "true")}, ticket.Pending, nil},
		{"review", "servicenow", map[string]string{snow: snowChange("0", "approved", "false")}, ticket.Closed, nil},
		{"closed", "servicenow", map[string]string{snow: snowChange("3", "approved", "false")}, ticket.Closed, nil},
		{"canceled", "servicenow", map[string]string{snow: snowChange("4", "approved", "false")}, ticket.Cancelled, nil},
		{"a state of somebody's own", "servicenow", map[string]string{snow: snowChange("7", "approved", "false")}, ticket.Pending, nil},
		{"approved by nobody in particular", "servicenow", map[string]string{"GET /api/now/table/sysapproval_approver": snowApprovals()}, ticket.Approved, nil},
		{"approved twice by one", "servicenow", map[string]string{"GET /api/now/table/sysapproval_approver": snowApprovals("bob", "Bob")}, ticket.Approved, []string{"bob"}},
		{"approved by the requester too", "servicenow", map[string]string{"GET /api/now/table/sysapproval_approver": snowApprovals("Alice", "bob")}, ticket.Approved, []string{"bob"}},
		{"approved by the requester alone", "servicenow", map[string]string{"GET /api/now/table/sysapproval_approver": snowApprovals("Alice")}, ticket.Pending, nil},

		{"a status of no meaning", "jira", map[string]string{jira: jiraIssue("Backlog", "new", approved)}, ticket.Pending, nil},
		{"a status of no meaning, in progress", "jira", map[string]string{jira: jiraIssue("Doing", "indeterminate", approved)}, ticket.Pending, nil},
		{"a status of no meaning, done", "jira", map[string]string{jira: jiraIssue("Shipped", "done", approved)}, ticket.Closed, nil},
		{"declined", "jira", map[string]string{jira: jiraIssue("DECLINED", "done")}, ticket.Rejected, nil},
		{"approved and taken up by another", "jira", map[string]string{jira: jiraIssue("Implementing", "indeterminate",
			jiraMove("dave", "2026-03-01T10:00:00.000+0100", "Approved", "Implementing"), approved)}, ticket.Approved, []string{"bob"}},
		{"sent back and approved anew", "jira", map[string]string{jira: jiraIssue("Approved", "indeterminate",
			jiraMove("erin", "2026-03-01T11:00:00.000+0100", "In Review", "Approved"), jiraMove("dave", "2026-03-01T10:00:00.000+0100", "Approved", "In Review"), approved)}, ticket.Approved, []string{"erin"}},
		{"approved without a trace", "jira", map[string]string{jira: jiraIssue("Approved", "indeterminate")}, ticket.Pending, nil},
		{"approved by the requester", "jira", map[string]string{jira: jiraIssue("Approved", "indeterminate", jiraMove("alice", "2026-03-01T09:00:00.000+0100", "In Review", "Approved"))}, ticket.Pending, nil},

		{"without the label", "github issue", map[string]string{issues: ghIssue("open", "", "bug")}, ticket.Pending, nil},
		{"with the label in another case", "github issue", map[string]string{issues: ghIssue("open", "", "Change-Approved")}, ticket.Approved, []string{"bob"}},
		{"closed with the label", "github issue", map[string]string{issues: ghIssue("closed", "completed", "change-approved")}, ticket.Closed, nil},
		{"closed as not planned", "github issue", map[string]string{issues: ghIssue("closed", "not_planned", "change-approved")}, ticket.Cancelled, nil},
		{"labelled by the author", "github issue", map[string]string{issues + "/events": `[` + ghEvent("labeled", "Alice", "change-approved") + `]`}, ticket.Pending, nil},
		{"labelled by an app", "github issue", map[string]string{issues + "/events": strings.Replace(`[`+ghEvent("labeled", "bot", "change-approved")+`]`, "User", "Bot", 1)}, ticket.Pending, nil},
		{"labelled anew by another", "github issue", map[string]string{issues + "/events": `[` + ghEvent("labeled", "bob", "change-approved") + `,` +
			ghEvent("unlabeled", "bob", "change-approved") + `,` + ghEvent("labeled", "carol", "change-approved") + `]`}, ticket.Approved, []string{"carol"}},
		{"labelled anew by the author, on a further page", "github issue", map[string]string{
			issues + "/events?page=1": `[` + ghEvent("labeled", "bob", "change-approved") + `]`,
			issues + "/events":        `[` + ghEvent("unlabeled", "bob", "change-approved") + `,` + ghEvent("labeled", "alice", "change-approved") + `]`,
		}, ticket.Pending, nil},
		{"labelled with something else", "github issue", map[string]string{issues + "/events": `[` + ghEvent("labeled", "bob", "bug") + `]`}, ticket.Pending, nil},

		{"not reviewed", "github pull request", map[string]string{pulls + "/reviews": `[]`}, ticket.Pending, nil},
		{"approved", "github pull request", nil, ticket.Approved, []string{"bob"}},
		{"approved, and commented on later", "github pull request", map[string]string{pulls + "/reviews": `[` + ghReview("bob", "APPROVED", "head", "MEMBER") + `,` + ghReview("bob", "COMMENTED", "head", "MEMBER") + `]`}, ticket.Approved, []string{"bob"}},
		{"approved before the last commit", "github pull request", map[string]string{pulls + "/reviews": `[` + ghReview("bob", "APPROVED", "older", "MEMBER") + `]`}, ticket.Pending, nil},
		{"approved by a stranger", "github pull request", map[string]string{pulls + "/reviews": `[` + ghReview("mallory", "APPROVED", "head", "NONE") + `]`}, ticket.Pending, nil},
		{"approved by an app", "github pull request", map[string]string{pulls + "/reviews": strings.Replace(`[`+ghReview("bot", "APPROVED", "head", "MEMBER")+`]`, "User", "Bot", 1)}, ticket.Pending, nil},
		{"approved and dismissed", "github pull request", map[string]string{pulls + "/reviews": `[` + ghReview("bob", "APPROVED", "head", "MEMBER") + `,` + ghReview("bob", "DISMISSED", "head", "MEMBER") + `]`}, ticket.Pending, nil},
		{"approved, changes requested by another", "github pull request", map[string]string{pulls + "/reviews": `[` + ghReview("carol", "CHANGES_REQUESTED", "older", "OWNER") + `,` + ghReview("bob", "APPROVED", "head", "MEMBER") + `]`}, ticket.Pending, []string{"bob"}},
		{"changes requested by a stranger", "github pull request", map[string]string{pulls + "/reviews": `[` + ghReview("mallory", "CHANGES_REQUESTED", "head", "NONE") + `,` + ghReview("bob", "APPROVED", "head", "MEMBER") + `]`}, ticket.Approved, []string{"bob"}},
		{"changes requested, then approved", "github pull request", map[string]string{pulls + "/reviews": `[` + ghReview("bob", "CHANGES_REQUESTED", "older", "MEMBER") + `,` + ghReview("bob", "APPROVED", "head", "MEMBER") + `]`}, ticket.Approved, []string{"bob"}},
		{"changes requested on a further page", "github pull request", map[string]string{
			pulls + "/reviews?page=1": `[` + ghReview("bob", "APPROVED", "head", "MEMBER") + `]`,
			pulls + "/reviews":        `[` + ghReview("carol", "CHANGES_REQUESTED", "head", "MEMBER") + `]`,
		}, ticket.Pending, []string{"bob"}},
		{"a draft", "github pull request", map[string]string{pulls: ghPull("open", true, `null`, `null`)}, ticket.Pending, nil},
		{"closed unmerged", "github pull request", map[string]string{pulls: ghPull("closed", false, `null`, `null`)}, ticket.Cancelled, nil},
		{"merged by another without a review", "github pull request", map[string]string{pulls: ghPull("closed", false, `"2026-03-01T10:00:00Z"`, bob), pulls + "/reviews": `[]`}, ticket.Approved, []string{"bob"}},
		{"merged by the author without a review", "github pull request", map[string]string{pulls: ghPull("closed", false, `"2026-03-01T10:00:00Z"`, `{"login":"alice","type":"User"}`), pulls + "/reviews": `[]`}, ticket.Pending, nil},
		{"merged by an app without a review", "github pull request", map[string]string{pulls: ghPull("closed", false, `"2026-03-01T10:00:00Z"`, `{"login":"queue","type":"Bot"}`), pulls + "/reviews": `[]`}, ticket.Pending, nil},

		{"pending", "http", map[string]string{plain: httpTicket("open", `null`)}, ticket.Pending, nil},
		{"approved", "http", map[string]string{plain: httpTicket("OK", `"bob"`)}, ticket.Approved, []string{"bob"}},
		{"rejected", "http", map[string]string{plain: httpTicket("no", `[]`)}, ticket.Rejected, nil},
		{"cancelled", "http", map[string]string{plain: httpTicket("gone", `[]`)}, ticket.Cancelled, nil},
		{"closed", "http", map[string]string{plain: httpTicket("done", `[]`)}, ticket.Closed, nil},
		{"our own word, though others are configured", "http", map[string]string{plain: httpTicket("approved", `["bob"]`)}, ticket.Pending, []string{"bob"}},
		{"approved by the requester", "http", map[string]string{plain: httpTicket("ok", `["ALICE"]`)}, ticket.Pending, nil},
	}
	for _, tt := range tests {
		t.Run(tt.kind+"/"+tt.name, func(t *testing.T) {
			f, err := kinds()[tt.kind].read(t, tt.answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if f.State != tt.state || !slices.Equal(names(f.Approvals), tt.approvers) {
				t.Errorf("state is %s, approved by %q; want %s, by %q", f.State, names(f.Approvals), tt.state, tt.approvers)
			}
		})
	}
}

func TestAnAnswerAboutAnotherTicketIsNone(t *testing.T) {
	tests := map[string]map[string]string{
		"servicenow":          {"GET /api/now/table/change_request": `{"result":[` + snowRecord("-1", "approved", "false", "CHG0000001") + `]}`},
		"jira":                {"GET /rest/api/2/issue/OPS-7": strings.Replace(jiraIssue("Approved", "new"), "OPS-7", "NEW-1", 1)},
		"github issue":        {"GET /repos/acme/infra/issues/12": strings.Replace(ghIssue("open", "", "change-approved"), `{"number":12`, `{"number":12,"pull_request":{}`, 1)},
		"github pull request": {"GET /repos/acme/infra/pulls/34": strings.Replace(ghPull("open", false, "null", "null"), "34", "35", 1)},
		"http":                {"GET /tickets/REQ-5": strings.Replace(httpTicket("ok", "[]"), "REQ-5", "REQ-50", 1)},
	}
	for name, answers := range tests {
		t.Run(name, func(t *testing.T) {
			if f, err := kinds()[name].read(t, answers, nil); !errors.Is(err, authority.ErrNotFound) {
				t.Errorf("facts %+v and error %v, want ErrNotFound", f, err)
			}
		})
	}
}

func TestATicketIsNotReadFromHalfAnAnswer(t *testing.T) {
	tests := []struct {
		name, kind string
		answers    map[string]string
		reason     string
	}{
		{"two changes of one number", "servicenow", map[string]string{"GET /api/now/table/change_request": `{"result":[` + snowRecord("-1", "approved", "false", "CHG0030001") + `,` + snowRecord("4", "approved", "false", "CHG0030001") + `]}`}, "several change requests"},
		{"no right to the state", "servicenow", map[string]string{"GET /api/now/table/change_request": snowChange("", "approved", "false")}, "may not read state"},
		{"no right to the approval", "servicenow", map[string]string{"GET /api/now/table/change_request": snowChange("-1", "", "false")}, "may not read state"},
		{"a window of nonsense", "servicenow", map[string]string{"GET /api/now/table/change_request": strings.Replace(snowChange("-1", "approved", "false"), "2026-03-01 11:00:00", "01/03/2026", 1)}, "window"},
		{"a sys_id that is a path", "servicenow", map[string]string{"GET /api/now/table/change_request": strings.ReplaceAll(snowChange("-1", "approved", "false"), sysID, "../../x")}, "sys_id"},
		{"no status", "jira", map[string]string{"GET /rest/api/2/issue/OPS-7": `{"key":"OPS-7","fields":{}}`}, "may not read the status"},
		{"a history without times", "jira", map[string]string{"GET /rest/api/2/issue/OPS-7": jiraIssue("Approved", "new", jiraMove("bob", "yesterday", "a", "Approved"))}, "history"},
		{"events without end", "github issue", endless("GET /repos/acme/infra/issues/12/events", `[]`), "more than 500"},
		{"events that are gone", "github pull request", map[string]string{"GET /repos/acme/infra/pulls/34/reviews": `{}`}, "understood"},
		{"a state that is a number", "http", map[string]string{"GET /tickets/REQ-5": `{"change":{"ref":"REQ-5","status":1}}`}, "state is not a text"},
		{"no state", "http", map[string]string{"GET /tickets/REQ-5": `{"change":{"ref":"REQ-5"}}`}, "no state"},
		{"a time without a zone", "http", map[string]string{"GET /tickets/REQ-5": `{"change":{"ref":"REQ-5","status":"ok","from":"2026-03-01"}}`}, "not_before"},
		{"approvers of another shape", "http", map[string]string{"GET /tickets/REQ-5": `{"change":{"ref":"REQ-5","status":"ok","approved/by":[{"name":"bob"}]}}`}, "approvers"},
	}
	for _, tt := range tests {
		t.Run(tt.kind+"/"+tt.name, func(t *testing.T) {
			f, err := kinds()[tt.kind].read(t, tt.answers, nil)
			var u *authority.Unavailable
			if !errors.As(err, &u) || !strings.Contains(u.Reason, tt.reason) {
				t.Errorf("facts %+v and error %v, want Unavailable with %q", f, err, tt.reason)
			}
		})
	}
}

func endless(at, answer string) map[string]string {
	answers := map[string]string{}
	for _, page := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"} {
		answers[at+"?page="+page] = answer
	}
	return answers
}

func TestJiraFieldsGiveWindowTypeAndApprovers(t *testing.T) {
	f, err := kinds()["jira"].read(t, nil, func(c *authority.Config) {
		c.Jira = authority.JiraConfig{NotBeforeField: "customfield_1", NotAfterField: "customfield_2", TypeField: "customfield_3", ApproversField: "customfield_4"}
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.NotBefore != instant("2026-03-01T08:00:00Z") || f.NotAfter != instant("2026-03-03T00:00:00Z") || f.Type != ticket.Emergency ||
		!slices.Equal(names(f.Approvals), []string{"bob@example.com", "carol"}) || f.State != ticket.Approved {
		t.Errorf("facts are %+v", f)
	}
	f, err = kinds()["jira"].read(t, nil, func(c *authority.Config) { c.Jira.ApproversField = "customfield_9" })
	if err != nil || f.State != ticket.Pending {
		t.Errorf("with nobody in the field the state is %s (%v), want pending", f.State, err)
	}
}

func TestValidForEndsAnApprovalThatHasNoWindow(t *testing.T) {
	twoHours := func(c *authority.Config) { c.ValidFor = 2 * time.Hour }
	f, err := kinds()["jira"].read(t, nil, twoHours)
	if err != nil || f.NotBefore != instant("2026-03-01T08:00:00Z") || f.NotAfter != instant("2026-03-01T10:00:00Z") {
		t.Errorf("window is %s to %s (%v)", f.NotBefore, f.NotAfter, err)
	}
	f, err = kinds()["servicenow"].read(t, nil, twoHours)
	if err != nil || f.NotAfter != instant("2026-03-01T11:00:00Z") {
		t.Errorf("a window of the authority's was changed to end at %s (%v)", f.NotAfter, err)
	}
	_, err = kinds()["http"].read(t, map[string]string{"GET /tickets/REQ-5": `{"change":{"ref":"REQ-5","status":"ok"}}`}, twoHours)
	var u *authority.Unavailable
	if !errors.As(err, &u) {
		t.Errorf("error is %v, want Unavailable: nobody knows when the approval ends", err)
	}
	merged := ghPull("closed", false, `"2026-03-05T10:00:00Z"`, `{"login":"alice","type":"User"}`)
	f, err = kinds()["github pull request"].read(t, map[string]string{"GET /repos/acme/infra/pulls/34": merged}, nil)
	if err != nil || f.NotBefore != instant("2026-03-05T10:00:00Z") || f.NotAfter != instant("2026-03-06T10:00:00Z") {
		t.Errorf("a merged pull request is valid from %s to %s (%v), want a day from the merge", f.NotBefore, f.NotAfter, err)
	}
}

func TestHostileTextsAreTamed(t *testing.T) {
	hostile := strings.ReplaceAll(`{"change":{"ref":"REQ-5","status":"ok","title":"a\u0000\u001b[2Jb\nc \u202e TITLE","why":"-----BEGIN PRIVATE KEY-----","link":"javascript:alert(1)","people":["run/time"],"approved/by":["\u0007","x/y","NAME"]}}`,
		"TITLE", strings.Repeat("é", 500))
	f, err := kinds()["http"].read(t, map[string]string{"GET /tickets/REQ-5": strings.ReplaceAll(hostile, "NAME", strings.Repeat("n", 1000))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(f.Title, "a[2Jb c éé") || len(f.Title) > ticket.MaxTitleLength || strings.HasSuffix(f.Title, "\xc3") {
		t.Errorf("title is %q", f.Title)
	}
	if f.Reason != "[redacted]" || f.URL != "" || f.Requester != "run_time" {
		t.Errorf("reason %q, URL %q, requester %q", f.Reason, f.URL, f.Requester)
	}
	if got := names(f.Approvals); len(got) != 2 || got[0] != "x_y" || len(got[1]) != 128 {
		t.Errorf("approvals are %q", got)
	}
}
