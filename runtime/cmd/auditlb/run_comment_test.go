package main

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// hostile are texts that mean something in Markdown, in HTML, on GitHub or to the eye.
// Each says where it begins with EVIL.
var hostile = []string{
	"EVIL", "EVIL`", "`EVIL`", "``EVIL", "`` EVIL ` ``` ````", "EVIL\n```\n# EVIL\n", "EVIL\r\n~~~\n", "EVIL\n\n# EVIL\n\n- EVIL",
	"EVIL</code></details><script>alert(1)</script>", "EVIL<img src=x onerror=alert(1)>", "EVIL<!-- ", "EVIL-->", "EVIL&lt;b&gt;", "<https://EVIL.example>",
	"[EVIL](https://evil.example)", "![EVIL](https://evil.example/x.png)", "https://EVIL.example", "www.EVIL.example", "EVIL@example.com", "@EVIL", "EVIL fixes #12",
	"EVIL | EVIL", `EVIL \| EVIL`, `EVIL \\| | EVIL`, "EVIL\\", "\\`EVIL", "**EVIL**", "~~EVIL~~", "- [ ] EVIL", "> EVIL", "    EVIL", "| EVIL |\n|---|\n| EVIL |",
	"EVIL\u202eLIVE", "EVIL\u200b", "EVIL\u0085", "EVIL\x1b[31m", "EVIL\x00", "EVIL\xff", " ` EVIL ` ", "EVIL\u2028",
}

// fill puts a text into everything that can hold one.
func fill(v reflect.Value, text string) {
	switch v.Interface().(type) {
	case jsontext.Value:
		quoted, _ := json.Marshal(map[string]string{text: text}, jsontext.AllowInvalidUTF8(true))
		v.Set(reflect.ValueOf(jsontext.Value(quoted)))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, text)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(text), value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	}
}

// rendered is Markdown as GitHub renders it, but for what it does to mentions.
func rendered(t *testing.T, markdown string) *nethtml.Node {
	t.Helper()
	var out bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe())).Convert([]byte(markdown), &out); err != nil {
		t.Fatal(err)
	}
	root, err := nethtml.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestNothingBreaksOutOfAComment puts each hostile text into every field there is, with
// every combination that the comment treats apart.
func TestNothingBreaksOutOfAComment(t *testing.T) {
	allowed := strings.Fields("html head body h3 p code a ul li table thead tbody tr th td details summary pre strong")
	for _, text := range hostile {
		for _, whole := range []bool{true, false} {
			var r api.RunReport
			fill(reflect.ValueOf(&r).Elem(), text)
			r.Link = "" // which has a test of its own
			for _, run := range []string{text, "", "other"} {
				e := r.Effects[0]
				e.Plan, e.Apply = &api.EffectEntry{Run: run, Actor: text, Seq: 1}, nil
				r.Effects = append(r.Effects, e)
			}
			r.Effects[1].Patch = []lb.Change{{Op: "add", Value: r.Effects[0].Patch[0].Value}}
			if !whole {
				r.Run.Proof, r.Effects[0].TerraformAddress, r.Overall = nil, "", api.RunApplied
			}
			markdown := comment(&r)
			for node := range rendered(t, markdown).Descendants() {
				switch node.Type {
				case nethtml.ElementNode:
					if !slices.Contains(allowed, node.Data) {
						t.Errorf("%q makes <%s>:\n%s", text, node.Data, markdown)
					}
					for _, a := range node.Attr {
						if (node.Data != "code" || a.Key != "class" || a.Val != "language-diff") && (node.Data != "a" || a.Key != "href") && node.Data != "th" && node.Data != "td" {
							t.Errorf("%q makes <%s %s=%q>:\n%s", text, node.Data, a.Key, a.Val, markdown)
						}
					}
					if node.Data == "a" {
						t.Errorf("%q makes a link: %v\n%s", text, node.Attr, markdown)
					}
				case nethtml.CommentNode:
					if "<!--"+node.Data+"-->" != commentMark {
						t.Errorf("%q makes a comment %q", text, node.Data)
					}
				case nethtml.TextNode:
					if in := node.Parent.Data; strings.Contains(node.Data, "EVIL") && in != "code" {
						t.Errorf("%q stands in <%s>, outside of code:\n%s", text, in, markdown)
					}
				}
			}
			if strings.ContainsFunc(markdown, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
				t.Errorf("%q: something can't be seen in\n%q", text, markdown)
			}
			if t.Failed() {
				return
			}
		}
	}
}

func TestTheOnlyLinkIsTheRunInItsCI(t *testing.T) {
	for _, tt := range []struct{ link, want string }{
		{"https://ci.example/acme/infra/runs/7?attempt=2&x=%20#top", "https://ci.example/acme/infra/runs/7?attempt=2&x=%20#top"},
		{"https://ci.example/a)(b<c>d|e`f*g_h", "https://ci.example/a%29%28b%3Cc%3Ed%7Ce%60f%2Ag_h"},
		{"https://ci.example/> [x](https://evil.example", "https://ci.example/%3E%20%5Bx%5D%28https://evil.example"},
		{"javascript:alert(1)", ""},
		{"https://user@ci.example/", ""},
		{"data:text/html,x", ""},
		{"", ""},
	} {
		var links []string
		markdown := comment(&api.RunReport{Link: tt.link, Overall: api.RunNothing})
		for node := range rendered(t, markdown).Descendants() {
			if node.Type == nethtml.ElementNode && node.Data == "a" {
				links = append(links, node.Attr[0].Val)
			}
		}
		if got := strings.Join(links, " "); got != tt.want {
			t.Errorf("%s: links %q, want %q in\n%s", tt.link, got, tt.want, markdown)
		}
	}
}

// TestACommentFitsWhereItIsPosted: what does not fit is counted.
func TestACommentFitsWhereItIsPosted(t *testing.T) {
	r := api.RunReport{Overall: api.RunPlanned}
	for i := range 3000 {
		r.Effects = append(r.Effects, api.RunEffect{
			Address: fmt.Sprintf("pool/p%d", i), Op: lb.OpUpdate, Status: api.EffectNotApplied,
			Patch: []lb.Change{{Op: "replace", Path: "/owner", Old: jsontext.Value(`"a"`), Value: jsontext.Value(`"` + strings.Repeat("x", 200) + `"`)}},
		})
		r.Tickets = append(r.Tickets, api.Ticket{ID: fmt.Sprintf("CHG-%d", i), State: "approved"})
	}
	markdown := comment(&r)
	if len(markdown) > 65_000 || len(markdown) < maxComment/2 {
		t.Errorf("the comment has %d bytes", len(markdown))
	}
	for _, says := range []string{"more tickets", "\nand ", "The differences of "} {
		if !strings.Contains(markdown, says) {
			t.Errorf("it does not say %q", says)
		}
	}
	if last := markdown[strings.LastIndex(markdown, "\n\n")+2:]; !strings.HasPrefix(last, "The differences of ") {
		t.Errorf("it ends with %q", last)
	}
}
