package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// found follows a search to its end and returns what it finds, newest first, and in how
// many pages.
func (r *rig) found(t testing.TB, query url.Values) (entries []string, pages int) {
	t.Helper()
	for before := int64(1 << 62); ; {
		var list api.EntryList
		r.must(t, &list, http.MethodGet, "/v1/entries?"+query.Encode(), nil)
		if pages++; query.Get("limit") == "1" && len(list.Items) > 1 {
			t.Fatalf("a page of one has %d", len(list.Items))
		}
		for _, e := range list.Items {
			if e.Seq >= before {
				t.Fatalf("entry %d comes after %d", e.Seq, before)
			}
			before = e.Seq
			entries = append(entries, strings.TrimSpace(e.Type+" "+e.Op+" "+e.Resource))
		}
		if list.Next == "" {
			return entries, pages
		}
		query.Set("cursor", list.Next)
		if pages > 1000 {
			t.Fatal("it has no end")
		}
	}
}

func TestEntriesAreFoundByEachFilter(t *testing.T) {
	r := start(t)
	r.must(t, nil, http.MethodPut, "/v1/runs/a", `{"system":"x","workspace":"acme/edge"}`)
	r.must(t, nil, http.MethodPut, "/v1/runs/b", `{"system":"x","repository":"acme/infra"}`)
	r.must(t, nil, http.MethodPut, "/v1/pools/web", `{"owner":"team-web","labels":{"note":"Über \"alles\""},"members":{}}`, creating, with(api.HeaderRun, "a"))
	middle := r.newest(t)
	r.must(t, nil, http.MethodPut, "/v1/pools/web", `{"owner":"team-api","members":{"m":{"address":"10.1.2.3:80"}}}`, updating, with(api.HeaderRun, "b"))
	r.must(t, nil, http.MethodDelete, "/v1/pools/web", nil, updating)
	time3 := middle.Time.Format(time.RFC3339Nano)
	for name, tt := range map[string]struct {
		query url.Values
		want  []string
	}{
		"owner":                       {url.Values{"owner": {"team-web"}}, []string{"apply create pool/web"}},
		"owner it was deleted from":   {url.Values{"owner": {"team-api"}}, []string{"apply delete pool/web", "apply update pool/web"}},
		"workspace":                   {url.Values{"workspace": {"acme/edge"}}, []string{"apply create pool/web", "run register run/a"}},
		"repository for a workspace":  {url.Values{"workspace": {"acme/infra"}, "type": {"apply"}}, []string{"apply update pool/web"}},
		"several types":               {url.Values{"type": {"run,apply,run"}, "until": {time3}}, []string{"run register run/b", "run register run/a"}},
		"since":                       {url.Values{"type": {"apply"}, "since": {time3}}, []string{"apply delete pool/web", "apply update pool/web", "apply create pool/web"}},
		"until":                       {url.Values{"type": {"apply"}, "until": {time3}}, nil},
		"run, of an owner":            {url.Values{"run": {"b"}, "owner": {"team-api"}}, []string{"apply update pool/web"}},
		"text of a body":              {url.Values{"text": {"10.1.2.3"}}, []string{"apply delete pool/web", "apply update pool/web"}},
		"text of a header":            {url.Values{"text": {"/v1/pools/WEB"}}, []string{"apply delete pool/web", "apply update pool/web", "apply create pool/web"}},
		"text in other letters":       {url.Values{"text": {"üBER"}}, []string{"apply update pool/web", "apply create pool/web"}},
		"text with quotes":            {url.Values{"text": {`"Alles"`}}, []string{"apply update pool/web", "apply create pool/web"}},
		"text as JSON has it":         {url.Values{"text": {`"op":"delete"`}}, []string{"apply delete pool/web"}},
		"text that nothing has":       {url.Values{"text": {"nowhere to be found"}}, nil},
		"text and everything else":    {url.Values{"text": {"10.1.2.3"}, "type": {"apply,reject"}, "owner": {"team-api"}, "workspace": {"acme/infra"}, "resource": {"pool/web"}}, []string{"apply update pool/web"}},
		"an owner that nobody is":     {url.Values{"owner": {"team"}}, nil},
		"a workspace there is not":    {url.Values{"workspace": {"acme"}}, nil},
		"no filter that is a pattern": {url.Values{"owner": {"%"}}, nil},
	} {
		for _, limit := range []string{"1", "50"} {
			tt.query.Del("cursor")
			tt.query.Set("limit", limit)
			if got, _ := r.found(t, tt.query); !slices.Equal(got, tt.want) {
				t.Errorf("%s, in pages of %s: %q, want %q", name, limit, got, tt.want)
			}
		}
	}
	for _, bad := range []string{"type=plans", "type=plan,", "type=plan%20,apply", "since=yesterday", "text=" + strings.Repeat("x", api.MaxTextLength+1)} {
		if a := r.do(t, http.MethodGet, "/v1/entries?"+bad, nil); a.problem.Code != api.CodeMalformed {
			t.Errorf("%s: %s", bad, a)
		}
	}
}

// TestASearchForTextLooksAtABoundedNumberOfEntriesAtATime: an empty page has a next one
// until the log's beginning, and nothing is missed between them.
func TestASearchForTextLooksAtABoundedNumberOfEntriesAtATime(t *testing.T) {
	t.Cleanup(server.SetMaxSearched(7))
	r := start(t)
	for i := range 40 {
		system := "other"
		if i%17 == 0 {
			system = "needle"
		}
		r.must(t, nil, http.MethodPut, fmt.Sprintf("/v1/runs/r%d", i), fmt.Sprintf(`{"system":%q}`, system))
	}
	var first api.EntryList
	r.must(t, &first, http.MethodGet, "/v1/entries?text=haystack", nil)
	if len(first.Items) != 0 || first.Next == "" {
		t.Errorf("the first page: %+v", first)
	}
	got, pages := r.found(t, url.Values{"text": {"needle"}})
	if !slices.Equal(got, []string{"run register run/r34", "run register run/r17", "run register run/r0"}) || pages < 3 {
		t.Errorf("found in %d pages: %q", pages, got)
	}
	if got, pages := r.found(t, url.Values{"text": {"needle"}, "type": {"ticket"}}); len(got) != 0 || pages != 1 {
		t.Errorf("among tickets, in %d pages: %q", pages, got)
	}
}
