package authority_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func TestACommentIsWrittenTheWayEachAuthorityWants(t *testing.T) {
	want := map[string]struct{ request, body string }{
		"servicenow":          {"PATCH /api/now/table/change_request/" + sysID + "?sysparm_fields=sys_id", `{"work_notes":"two\nlines"}`},
		"jira":                {"POST /rest/api/2/issue/OPS-7/comment", `{"body":"two\nlines"}`},
		"github issue":        {"POST /repos/acme/infra/issues/12/comments", `{"body":"two\nlines"}`},
		"github pull request": {"POST /repos/acme/infra/issues/34/comments", `{"body":"two\nlines"}`},
		"http":                {"POST /tickets/REQ-5/comments", `{"id":"REQ-5","text":"two\nlines"}`},
	}
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, k.answers)
			if err := k.at(t, srv.URL, nil).Comment(t.Context(), k.id, "two\nlines"); err != nil {
				t.Fatal(err)
			}
			asked := srv.asked()
			body := srv.lastBody()
			if name == "http" { // the order of a map's members is not ours
				body = strings.Replace(body, `{"text":"two\nlines","id":"REQ-5"}`, want[name].body, 1)
			}
			if got := asked[len(asked)-1]; got != want[name].request || body != want[name].body {
				t.Errorf("sent %s with %s, want %s with %s", got, body, want[name].request, want[name].body)
			}
		})
	}
}

func TestAReadOnlyAuthorityIsNotWrittenTo(t *testing.T) {
	for name, change := range map[string]func(*authority.Config){
		"by configuration":      func(c *authority.Config) { c.ReadOnly = true },
		"without a comment URL": func(c *authority.Config) { c.HTTP.CommentURL = "" },
	} {
		t.Run(name, func(t *testing.T) {
			k := kinds()["http"]
			srv := serve(t, k.answers)
			err := k.at(t, srv.URL, change).Comment(t.Context(), k.id, "text")
			if asked := srv.asked(); !errors.Is(err, authority.ErrReadOnly) || len(asked) != 0 {
				t.Errorf("error is %v after %q, want ErrReadOnly and no request", err, asked)
			}
		})
	}
}

func TestAnIDIsHandledOnlyWhenAllOfItMatches(t *testing.T) {
	tests := []struct {
		kind, pattern string
		yes, no       []string
	}{
		{"servicenow", "", []string{"CHG0030001"}, []string{"CHG1", "xCHG0030001", "CHG0030001x", "chg0030001", "CHG0030001^ORnumber=CHG0030002", ""}},
		{"github issue", "", []string{"GH-12"}, []string{"GH-0", "GH-012", "GH-", "GH-1/../2", "PR-12"}},
		{"jira", "OPS-[0-9]+|NET-[0-9]+", []string{"OPS-1", "NET-1"}, []string{"OPS-1x", "xNET-1", "OPS-1 "}},
		{"jira", ".*", []string{"OPS-1"}, []string{"../admin", "a/b", "OPS-1?x", "OPS-1\n", strings.Repeat("A", 65)}},
	}
	for _, tt := range tests {
		t.Run(tt.kind+" "+tt.pattern, func(t *testing.T) {
			k := kinds()[tt.kind]
			srv := serve(t, k.answers)
			a := k.at(t, srv.URL, func(c *authority.Config) {
				if tt.pattern != "" {
					c.Pattern = tt.pattern
				}
			})
			for _, id := range slices.Concat(tt.yes, tt.no) {
				if got := a.Handles(id); got != slices.Contains(tt.yes, id) {
					t.Errorf("Handles(%q) = %t", id, got)
				}
			}
			for _, id := range tt.no {
				if _, err := a.Read(t.Context(), id); !errors.Is(err, authority.ErrNotFound) {
					t.Errorf("Read(%q) = %v, want ErrNotFound", id, err)
				}
				if err := a.Comment(t.Context(), id, "text"); !errors.Is(err, authority.ErrNotFound) {
					t.Errorf("Comment(%q) = %v, want ErrNotFound", id, err)
				}
			}
			if asked := srv.asked(); len(asked) != 0 {
				t.Errorf("requests were sent for ids that are not handled: %q", asked)
			}
		})
	}
}

func TestANumberHasOneID(t *testing.T) {
	for name, id := range map[string]string{"github issue": "GH-012", "github pull request": "PR-034"} {
		k := kinds()[name]
		srv := serve(t, map[string]string{
			"GET /repos/acme/infra/issues/012": k.answers["GET /repos/acme/infra/issues/12"],
			"GET /repos/acme/infra/pulls/034":  k.answers["GET /repos/acme/infra/pulls/34"],
		})
		a := k.at(t, srv.URL, func(c *authority.Config) { c.Pattern = "[GP][HR]-[0-9]+" })
		_, err := a.Read(t.Context(), id)
		if asked := srv.asked(); !errors.Is(err, authority.ErrNotFound) || len(asked) != 0 {
			t.Errorf("%s: error is %v after %q, want ErrNotFound and no request", id, err, asked)
		}
	}
}
