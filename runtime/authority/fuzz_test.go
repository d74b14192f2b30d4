package authority_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

func FuzzServiceNow(f *testing.F)        { fuzzAnswers(f, "servicenow") }
func FuzzJira(f *testing.F)              { fuzzAnswers(f, "jira") }
func FuzzGitHubIssue(f *testing.F)       { fuzzAnswers(f, "github issue") }
func FuzzGitHubPullRequest(f *testing.F) { fuzzAnswers(f, "github pull request") }
func FuzzHTTP(f *testing.F)              { fuzzAnswers(f, "http") }

// transport answers the first request with one text and the others with another.
type transport struct{ first, others string }

func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	text := tr.first
	tr.first = tr.others
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(text)), Request: r, ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// fuzzAnswers holds, whatever an authority answers: no panic; errors are of the kinds
// that are promised, and short; facts are bounded and printable; and who asked for a
// ticket is not among those who approved it.
func fuzzAnswers(f *testing.F, name string) {
	k := kinds()[name]
	var first, others string
	for at, answer := range k.answers {
		switch {
		case !strings.HasPrefix(at, "GET"):
		case strings.HasSuffix(at, "approver"), strings.HasSuffix(at, "events"), strings.HasSuffix(at, "reviews"):
			others = answer
		default:
			first = answer
		}
	}
	f.Add(first, others)
	for _, s := range []string{"", "null", "{}", "[]", `{"result":null}`, `{"result":[null]}`, `[null]`, strings.Repeat("[", 2000)} {
		f.Add(first, s)
		f.Add(s, others)
	}
	config := k.config
	config.URL = "https://tickets.example.com/{id}"
	if config.Type != authority.HTTP {
		config.URL = "https://tickets.example.com"
	}
	f.Fuzz(func(t *testing.T, first, others string) {
		a, err := authority.New(config, &http.Client{Transport: &transport{first, others}})
		if err != nil {
			t.Fatal(err)
		}
		facts, err := a.Read(t.Context(), k.id)
		if err != nil {
			var u *authority.Unavailable
			if !errors.Is(err, authority.ErrNotFound) && !errors.As(err, &u) || len(err.Error()) > 200 {
				t.Fatalf("%d bytes of error: %.300v", len(err.Error()), err)
			}
			return
		}
		checkFacts(t, facts, k.id)
	})
}

func checkFacts(t *testing.T, f ticket.Facts, id string) {
	t.Helper()
	states := []ticket.State{ticket.Pending, ticket.Approved, ticket.Rejected, ticket.Cancelled, ticket.Closed}
	if f.ID != id || !slices.Contains(states, f.State) || !slices.Contains(ticket.Types, f.Type) || len(f.Approvals) > 50 || !slices.Equal(f.Scope.Addresses, []string{"pool/*"}) {
		t.Fatalf("facts are %+v", f)
	}
	if f.NotBefore.Year() > 9999 || f.NotAfter.Year() > 9999 {
		t.Fatalf("the window is from %s to %s", f.NotBefore, f.NotAfter)
	}
	texts := map[string]int{f.Title: ticket.MaxTitleLength, f.Reason: ticket.MaxTextLength, f.URL: 2048, f.Requester: 128}
	for _, by := range names(f.Approvals) {
		texts[by] = 128
		if by == "" || strings.EqualFold(by, f.Requester) {
			t.Fatalf("%q asked for it and %q approved it", f.Requester, by)
		}
	}
	for text, limit := range texts {
		if len(text) > limit || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
	}
}
