package evidence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
)

// written is a bundle of entries in which a text stands wherever a user can write one.
func written(t *testing.T, s string) (*evidence.Bundle, *paper) {
	t.Helper()
	p := newPaper(t)
	actor := audit.Actor{Name: s, Credential: s, Role: s, Provider: s, Issuer: s, Subject: s}
	run := &audit.RunRef{ID: s, Verified: true, Proved: map[string]string{s: s, "repository": s}}
	request := &audit.Request{ID: s, Method: s, Path: s, SourceIP: s, UserAgent: s}
	at := "2026-01-01T00:00:00Z"
	object := map[string]any{"owner": s, "labels": map[string]string{s: s}, "members": map[string]any{s: map[string]string{"address": s}}}
	p.add(audit.Entry{Type: audit.TypeTicket, Resource: "ticket/" + s, Op: "approve", Actor: actor, Ticket: s, Request: request}, body{after: map[string]any{
		"id": s, "type": s, "title": s, "reason": s, "url": "javascript:" + s, "state": s, "requester": s, "requested_at": at, "not_before": at, "authority": s,
		"approvals": []any{map[string]string{"by": s, "at": at, "comment": s, "effects_digest": s}}, "review": map[string]string{"by": s, "at": at, "comment": s},
	}})
	p.add(audit.Entry{Type: audit.TypeRun, Resource: "run/" + s, Op: "register", Actor: actor, Run: run, Request: request}, body{after: map[string]any{"claims": map[string]string{"system": s, "url": s}}})
	p.add(audit.Entry{Type: audit.TypeApply, Resource: "pool/" + s, Op: "create", Actor: actor, Ticket: s, Run: run, Request: request, Emergency: true}, body{after: object, rest: audit.Body{
		Unknown: []string{s}, Warnings: []string{s}, Rules: []audit.RuleOutcome{{Policy: s, Revision: 1, Rule: s, Result: s, Message: s}},
	}})
	p.add(audit.Entry{Type: audit.TypeApply, Resource: "pool/" + s, Op: "update", Actor: actor, Run: run, Request: request}, body{before: object, after: map[string]any{"owner": s + "!", "labels": map[string]string{}}})
	p.add(audit.Entry{Type: audit.TypeReject, Resource: "pool/" + s, Op: s, Actor: actor, Ticket: s, Outcome: audit.OutcomeRefused, Code: s, Request: request}, body{rest: audit.Body{
		Refusal: &audit.Refusal{Code: s, Detail: s, Referents: []string{s}},
	}})
	b := p.bundle(evidence.Query{Ticket: s})
	b.Manifest.Tool = s
	return b, p
}

// shape is a page's elements and attributes, without the texts.
func shape(t *testing.T, page string) []string {
	t.Helper()
	var out []string
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.TextToken:
		default:
			out = append(out, z.Token().String())
		}
	}
}

// TestWhatUsersWriteIsNeverMarkup compares a page with that of the same entries in which
// only harmless things were written.
func TestWhatUsersWriteIsNeverMarkup(t *testing.T) {
	harmless, _ := written(t, "harmless")
	want := shape(t, contentOf(t, zipped(t, harmless), "summary.html"))
	for _, s := range []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`' onmouseover='alert(1)`,
		`</pre></dd></dl></article></title></style><svg/onload=alert(1)>`,
		`--><!--<b>`, `<![CDATA[<b>]]>`, `{{.Manifest}}{{define "x"}}`, `&lt;script&gt;`, "<\u2028scr\tipt>", `<a href="javascript:alert(1)">x</a>`,
	} {
		t.Run(s, func(t *testing.T) {
			b, p := written(t, s)
			text := zipped(t, b)
			page := contentOf(t, text, "summary.html")
			if got := shape(t, page); !slices.Equal(got, want) {
				t.Errorf("it became markup: %d elements in place of %d", len(got), len(want))
			}
			if root, err := html.Parse(strings.NewReader(page)); err != nil || !strings.Contains(textOf(root), s) {
				t.Errorf("a reader does not see what was written: %v", err)
			}
			holds(t, text, nil, p.signer.PublicKey())
		})
	}
}

// textOf is what a page's body shows.
func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var out strings.Builder
	for child := range n.ChildNodes() {
		out.WriteString(textOf(child))
	}
	return out.String()
}

func TestTheSummaryRunsNothingAndLoadsNothing(t *testing.T) {
	b, _ := written(t, "https://evil.example/x")
	for _, element := range shape(t, contentOf(t, zipped(t, b), "summary.html")) {
		for _, no := range []string{"<script", "<img", "<iframe", "<link", "<base", "<object", "src=", "http-equiv=\"refresh", "https://", " on"} {
			if strings.Contains(strings.ToLower(element), no) {
				t.Errorf("the page has %s", element)
			}
		}
	}
}

func TestTheSummarySaysWhatTheEntriesSay(t *testing.T) {
	b, _ := written(t, "x")
	page := contentOf(t, zipped(t, b), "summary.html")
	root, err := html.Parse(strings.NewReader(page))
	must(t, err)
	shown := strings.Join(strings.Fields(textOf(root)), " ")
	for _, want := range []string{
		"ticket x: 5 entries, 2 changes, 1 refusals, with an emergency ticket.", `- owner: "x" + owner: "x!"`, `- labels.x: "x"`,
		"Statex (x), as entry 0 left it", "Approved byx, 2026-01-01 00:00:00 UTC: x for the effects x", "refused: x",
		fmt.Sprintf("Made%s", b.Manifest.MadeAt.Format(time.DateTime)),
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the page does not say %q:\n%s", want, shown)
		}
	}
}
