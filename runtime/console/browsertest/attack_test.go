package browsertest

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// attacker writes script into everything that can be written.
type attacker struct {
	*stage
	t testing.TB
	// wrote says where each payload went, by its mark.
	wrote map[string]string
	// kept are the places where the API kept one, which some page has to show.
	kept map[string]bool
	// secrets are the tokens of mallory, by role.
	secrets map[identity.Role]string
}

func newAttacker(t testing.TB, s *stage) *attacker {
	a := &attacker{stage: s, t: t, wrote: map[string]string{}, kept: map[string]bool{}, secrets: map[identity.Role]string{}}
	for _, role := range identity.Roles {
		a.secrets[role] = s.Token(t, "mallory."+string(role), role)
	}
	return a
}

// payload is script in every form that a page could fall for: as text, in an attribute
// and as an element. It begins with a mark, by which it is found where it is shown.
func (a *attacker) payload(where string) string {
	mark := fmt.Sprintf("x%d'", len(a.wrote))
	a.wrote[mark] = where
	return mark + `" autofocus onfocus=__xss=1 x="><img src=x class=injected onerror=__xss=1><script>__xss=1</script>`
}

// word is the same without spaces and in at most 64 bytes, for what takes no more.
func (a *attacker) word(where string) string {
	mark := fmt.Sprintf("x%d'", len(a.wrote))
	a.wrote[mark] = where
	return mark + `"><img/class="injected"/src="x"/onerror=__xss=1>`
}

// target is what an attack is sent to: a call of the API.
type target struct {
	method, path string
	role         identity.Role
	header       map[string]string
	// body is one that the API takes.
	body map[string]any
}

// send makes a call, and reports whether the API took it.
func (a *attacker) send(to target) bool {
	a.t.Helper()
	status, _ := a.call(to)
	return status < 400
}

// must sends what the API has to take.
func (a *attacker) must(to target) {
	a.t.Helper()
	if status, answer := a.call(to); status >= 400 {
		a.t.Fatalf("%s %s: %d %s", to.method, to.path, status, answer)
	}
}

func (a *attacker) call(to target) (status int, answer string) {
	a.t.Helper()
	var content io.Reader
	if to.body != nil {
		b, err := json.Marshal(to.body)
		if err != nil {
			a.t.Fatal(err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), to.method, a.Endpoint+to.path, content)
	if err != nil {
		a.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + a.secrets[cmp.Or(to.role, identity.Operator)], "Content-Type": api.ContentJSON, api.HeaderTicket: a.Ticket,
	} {
		req.Header.Set(name, value)
	}
	for name, value := range to.header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusInternalServerError {
		a.t.Fatalf("%s %s: %d %s", to.method, to.path, resp.StatusCode, b)
	}
	return resp.StatusCode, string(b)
}

// everyField sends a body again and again, each time with a payload in another of the
// texts that the API's own description of it has, and then with all that were taken, and
// with all that weren't.
func (a *attacker) everyField(to target, texts [][]string) {
	a.t.Helper()
	a.must(to)
	var taken, refused [][]string
	for _, path := range texts {
		where := to.method + " " + to.path + " " + strings.Join(path, ".")
		attack := to
		attack.body = with(to.body, path, a.payload(where)).(map[string]any)
		if a.send(attack) {
			taken = append(taken, path)
			a.kept[where] = !slices.Contains(ignored, path[0])
		} else {
			refused = append(refused, path)
		}
	}
	for _, paths := range [][][]string{taken, refused} {
		all := to
		for _, path := range paths {
			all.body = with(all.body, path, a.payload(to.method+" "+to.path+" "+strings.Join(path, "."))).(map[string]any)
		}
		a.send(all)
	}
}

// ignored are texts that callers may send and that nobody keeps: what the runtime finds
// out by itself about a certificate, the id of a ticket that the path names, and the digest
// of what a preview showed.
var ignored = []string{"fingerprint", "dns_names", "issuer", "id", "expect"}

// Steps of a path that stand for any name, for the name itself, and for an item of a list.
const (
	anyName = "*"
	theName = "*name"
	anItem  = "[]"
)

// with returns a copy of a value with a text put where a path leads.
func with(value any, path []string, text string) any {
	if len(path) == 0 {
		return text
	}
	if path[0] == anItem {
		return []any{with(nil, path[1:], text)}
	}
	object, _ := value.(map[string]any)
	object = maps.Clone(object)
	if object == nil {
		object = map[string]any{}
	}
	name := path[0]
	if name == anyName || name == theName {
		name = "a"
		if names := slices.Sorted(maps.Keys(object)); len(names) > 0 {
			name = names[0]
		}
	}
	if path[0] == theName {
		object[text] = object[name]
		if object[text] == nil {
			object[text] = "b"
		}
		return object
	}
	object[name] = with(object[name], path[1:], text)
	return object
}

// document is what there is to know of the API's OpenAPI document.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string `json:"operationId"`
		RequestBody struct {
			Content map[string]struct {
				Schema *schema `json:"schema"`
			} `json:"content"`
		} `json:"requestBody"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

type schema struct {
	Ref        string         `json:"$ref"`
	Type       any            `json:"type"`
	Properties map[string]any `json:"properties"`
	More       any            `json:"additionalProperties"`
	Items      any            `json:"items"`
	OneOf      []any          `json:"oneOf"`
	AnyOf      []any          `json:"anyOf"`
	AllOf      []any          `json:"allOf"`
}

// texts returns for each operation with a body the paths to the texts in it.
func (s *stage) texts(t testing.TB) map[string][][]string {
	t.Helper()
	resp, err := http.Get(s.Endpoint + "/v1/openapi.json") //nolint:noctx // of this process
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var d document
	if err := json.UnmarshalRead(resp.Body, &d); err != nil {
		t.Fatal(err)
	}
	out := map[string][][]string{}
	for _, methods := range d.Paths {
		for _, op := range methods {
			for _, content := range op.RequestBody.Content {
				d.walk(content.Schema, nil, nil, func(path []string) { out[op.OperationID] = append(out[op.OperationID], path) })
			}
		}
	}
	return out
}

// walk calls found for every text within a schema.
func (d *document) walk(s *schema, path, within []string, found func(path []string)) {
	if s == nil {
		return
	}
	at := func(step string) []string { return append(path[:len(path):len(path)], step) }
	into := func(v any, path []string) { d.walk(schemaOf(v), path, within, found) }
	if name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]; name != "" {
		if !slices.Contains(within, name) {
			d.walk(d.Components.Schemas[name], path, append(within[:len(within):len(within)], name), found)
		}
		return
	}
	if types, _ := s.Type.([]any); s.Type == "string" || slices.Contains(types, any("string")) {
		found(path)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		into(s.Properties[name], at(name))
	}
	if more := schemaOf(s.More); more != nil {
		found(at(theName))
		d.walk(more, at(anyName), within, found)
	}
	into(s.Items, at(anItem))
	for _, v := range slices.Concat(s.OneOf, s.AnyOf, s.AllOf) {
		into(v, path)
	}
}

// schemaOf reads a schema that may be left out, or be only true or false.
func schemaOf(v any) *schema {
	if _, ok := v.(map[string]any); !ok {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var s schema
	if json.Unmarshal(b, &s) != nil {
		return nil
	}
	return &s
}
