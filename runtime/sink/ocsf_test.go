package sink_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

var update = flag.Bool("update", false, "write the guide's map anew")

// event renders an entry as an event of OCSF.
func event(t testing.TB, e *api.EntryRecord) map[string]any {
	t.Helper()
	text, err := sink.Render(origin, "1.2.3", sink.OCSF, "", e)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// at follows a path in an event.
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		switch c := v.(type) {
		case map[string]any:
			v = c[key]
		case []any:
			if len(c) == 0 {
				return nil
			}
			v = c[0].(map[string]any)[key]
		default:
			return nil
		}
	}
	return v
}

// cases are entries of every type, operation and shape.
func cases() []*api.EntryRecord {
	var out []*api.EntryRecord
	ops := []string{"", "create", "update", "delete", "open", "amend", "submit", "approve", "reject", "cancel", "close", "review", "mirror", "write_evidence", "register", "revoke", "rotate", "restart", "authenticate", "plan", "who knows"}
	actors := []api.Actor{
		{},
		{Name: "olivia", Role: "operator", Credential: "token/1"},
		{Name: "ada", Role: "admin", Credential: "certificate/2"},
		{Name: "system/log"},
		{Name: "ci", Role: "operator", Credential: "session/3", Provider: "github", Issuer: "https://issuer", Subject: "repo:acme"},
	}
	requests := []*api.Request{
		nil,
		{ID: "r", Method: "PUT", Path: "/v1/pools/web", SourceIP: "192.0.2.1", UserAgent: "x", BodyDigest: "y"},
		{ID: "r", Method: "PURGE", SourceIP: "2001:db8::1%eth0"},
		{ID: "r", Method: "GET", SourceIP: "@"},
		{ID: "r"},
	}
	object := jsontext.Value(`{"owner":"x"}`)
	bodies := []*api.EntryBody{
		nil,
		{},
		{After: object},
		{Before: object, After: object},
		{Before: object},
		{After: object, Refusal: &api.Refusal{Code: "frozen", Detail: "no"}, Unknown: []string{"/a"}, Warnings: []string{"w"}},
	}
	n := 0
	for _, typ := range append([]string{"something new"}, api.EntryTypes...) {
		for _, op := range ops {
			for _, outcome := range []string{"ok", "refused"} {
				for _, resource := range []string{"", "pool/web", "policy/main", "ticket", "run/github/1/2"} {
					e := &api.EntryRecord{LeafHash: "h", Body: bodies[n%len(bodies)], Entry: api.Entry{
						Version: 1, Seq: int64(n), Time: time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC), Type: typ, Op: op, Outcome: outcome, Resource: resource,
						Actor: actors[n%len(actors)], Request: requests[(n/2)%len(requests)], Emergency: n%3 == 0, Unplanned: n%4 == 0,
					}}
					if n%2 == 0 {
						e.Ticket, e.Run, e.Base = "CHG-1", &api.RunRef{ID: "run-1"}, 7
					}
					if outcome == "refused" {
						e.Code = []string{"frozen", "no_code_of_ours"}[n%2]
					}
					out = append(out, e)
					n++
				}
			}
		}
	}
	return out
}

func TestEveryEventFollowsTheSchema(t *testing.T) {
	found := map[string]int{}
	for _, e := range cases() {
		ev := event(t, e)
		class := map[float64]string{6003: "api_activity", 3004: "entity_management"}[ev["class_uid"].(float64)]
		found[class]++
		for _, problem := range validate(class, class, ev) {
			t.Errorf("%s %s %s: %s", e.Type, e.Op, e.Outcome, problem)
		}
		if ev["type_uid"] != ev["class_uid"].(float64)*100+ev["activity_id"].(float64) || ev["type_name"] != fmt.Sprintf("%s: %s", ev["class_name"], ev["activity_name"]) {
			t.Errorf("%s %s: %v %v", e.Type, e.Op, ev["type_uid"], ev["type_name"])
		}
		if want := map[string]float64{"ok": 1, "refused": 2}[e.Outcome]; ev["status_id"] != want {
			t.Errorf("%s %s %s: status %v", e.Type, e.Op, e.Outcome, ev["status_id"])
		}
		if ev["time"] != float64(e.Time.UnixMilli()) || at(ev, "metadata.version") != sink.OCSFVersion || at(ev, "metadata.uid") != fmt.Sprintf("%s/%d", origin, e.Seq) {
			t.Errorf("%v %v", ev["time"], ev["metadata"])
		}
	}
	if found["api_activity"] == 0 || found["entity_management"] == 0 {
		t.Errorf("%v", found)
	}
}

// TestTheValidatorFindsWhatIsWrong, or it would prove nothing.
func TestTheValidatorFindsWhatIsWrong(t *testing.T) {
	for name, change := range map[string]func(ev map[string]any){
		"required":          func(ev map[string]any) { delete(ev, "severity_id") },
		"required inside":   func(ev map[string]any) { delete(ev["metadata"].(map[string]any), "product") },
		"enum":              func(ev map[string]any) { ev["activity_id"] = 77.0 },
		"type":              func(ev map[string]any) { ev["message"] = 1.0 },
		"seconds":           func(ev map[string]any) { ev["time"] = 1.7e9 },
		"caption":           func(ev map[string]any) { ev["severity"] = "Low" },
		"unknown attribute": func(ev map[string]any) { ev["colour"] = "red" },
		"at least one":      func(ev map[string]any) { ev["actor"] = map[string]any{} },
		"address":           func(ev map[string]any) { ev["src_endpoint"] = map[string]any{"ip": "nowhere"} },
		"empty text":        func(ev map[string]any) { ev["message"] = "" },
	} {
		ev := event(t, &api.EntryRecord{Entry: api.Entry{Type: "plan", Time: time.Now(), Outcome: "ok", Actor: api.Actor{Name: "x"}}, LeafHash: "h"})
		if problems := validate("api_activity", "e", ev); len(problems) > 0 {
			t.Fatal(problems)
		}
		if change(ev); len(validate("api_activity", "e", ev)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestEachKindOfEntryHasItsPlace(t *testing.T) {
	object := jsontext.Value(`{"owner":"x"}`)
	entry := func(typ, op, resource string, change func(*api.EntryRecord)) *api.EntryRecord {
		e := &api.EntryRecord{LeafHash: "h", Entry: api.Entry{
			Version: 1, Seq: 42, Time: time.Now(), Type: typ, Op: op, Resource: resource, Outcome: "ok", Actor: api.Actor{Name: "olivia", Role: "operator", Credential: "token/1"},
			Request: &api.Request{ID: "r-1", Method: "PUT", Path: "/v1/x", SourceIP: "192.0.2.1", UserAgent: "terraform"},
		}}
		if change != nil {
			change(e)
		}
		return e
	}
	for _, tt := range []struct {
		name string
		e    *api.EntryRecord
		want map[string]any
	}{
		{"an update", entry("apply", "update", "pool/web", func(e *api.EntryRecord) {
			e.Ticket, e.Base, e.Body = "CHG-1", 7, &api.EntryBody{Before: object, After: jsontext.Value(`{"owner":"y"}`)}
		}), map[string]any{
			"type_uid": 300403.0, "severity_id": 1.0, "entity.uid": "pool/web", "entity.name": "web", "entity.type": "pool", "entity.type_id": 99.0,
			"entity.version": "7", "entity.data.owner": "x", "entity_result.version": "42", "entity_result.data.owner": "y",
			"metadata.correlation_uid": "CHG-1", "metadata.event_code": "apply.update", "actor.user.name": "olivia", "actor.user.type": "User",
			"actor.user.credential_uid": "token/1", "src_endpoint.ip": "192.0.2.1", "http_request.http_method": "PUT", "http_request.url.path": "/v1/x",
			"unmapped.ticket": "CHG-1", "unmapped.base": 7.0, "message": "olivia: apply update pool/web under ticket CHG-1",
		}},
		{"a deletion", entry("apply", "delete", "policy/main", func(e *api.EntryRecord) { e.Body = &api.EntryBody{Before: object} }), map[string]any{
			"type_uid": 300404.0, "entity.type_id": 5.0, "entity.type": "Policy", "entity.policy.name": "main", "entity.data.owner": "x", "entity_result": nil,
		}},
		{"a plan", entry("plan", "update", "pool/web", func(e *api.EntryRecord) {
			e.Body = &api.EntryBody{Before: object, After: jsontext.Value(`{"owner":"y"}`)}
		}), map[string]any{
			"type_uid": 600399.0, "activity_name": "plan", "api.operation": "update", "api.request.uid": "r-1", "resources.uid": "pool/web", "resources.data.owner": "y",
			"unmapped.before.owner": "x", "metadata.event_code": "plan.update",
		}},
		{"a refusal", entry("reject", "delete", "pool/web", func(e *api.EntryRecord) {
			e.Outcome, e.Code, e.Body = "refused", "frozen", &api.EntryBody{Refusal: &api.Refusal{Code: "frozen", Detail: "it is Friday", Referents: []string{"route/x"}}}
		}), map[string]any{
			"type_uid": 600304.0, "severity_id": 3.0, "status_id": 2.0, "status_code": "frozen", "status_detail": "it is Friday", "api.response.error": "frozen",
			"api.response.code": float64(api.Statuses[api.CodeFrozen]), "api.response.error_message": "it is Friday",
		}},
		{"an emergency", entry("apply", "create", "pool/web", func(e *api.EntryRecord) { e.Emergency, e.Unplanned = true, true }), map[string]any{
			"type_uid": 300401.0, "severity_id": 4.0, "metadata.labels": []any{"emergency", "unplanned"}, "unmapped.emergency": true,
		}},
		{"a ticket that is opened", entry("ticket", "open", "ticket/CHG-1", nil), map[string]any{"type_uid": 300401.0, "entity.type": "ticket", "entity.name": "CHG-1"}},
		{"a ticket that is approved", entry("ticket", "approve", "ticket/CHG-1", nil), map[string]any{"type_uid": 300403.0, "metadata.event_code": "ticket.approve"}},
		{"a token", entry("identity", "create", "token/1", nil), map[string]any{"type_uid": 600301.0, "resources.type": "token"}},
		{"a session", entry("identity", "create", "session/1", func(e *api.EntryRecord) {
			e.Actor = api.Actor{Name: "ci", Credential: "session/1", Provider: "github", Issuer: "https://issuer", Subject: "repo:x"}
		}), map[string]any{
			"actor.session.uid": "session/1", "actor.session.issuer": "https://issuer", "actor.idp.name": "github", "actor.user.uid": "repo:x", "actor.user.credential_uid": nil,
		}},
		{"the log's beginning", entry("system", "create", "log", func(e *api.EntryRecord) { e.Request, e.Actor = nil, api.Actor{Name: "system/log"} }), map[string]any{
			"type_uid": 600301.0, "actor.user.type": "System", "actor.app_name": "auditlb", "src_endpoint.svc_name": "auditlb", "http_request": nil, "api.request": nil,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := event(t, tt.e)
			for path, want := range tt.want {
				if got := at(ev, path); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %v, want %v", path, got, want)
				}
			}
		})
	}
}

// TestNothingOfAnEntryIsDropped: each value of an entry in which everything is set can be
// found in its event, whatever class that is of.
func TestNothingOfAnEntryIsDropped(t *testing.T) {
	for _, op := range []string{"create", "update", "delete", "rotate"} {
		for _, typ := range api.EntryTypes {
			var marks []string
			e := &api.EntryRecord{}
			fill(reflect.ValueOf(e).Elem(), "", &marks)
			replaced := []string{e.Type, e.Op, e.Outcome, e.Actor.Credential, e.Time.Format(time.RFC3339)}
			// What the API adds to an entry that it lists is not streamed.
			replaced = append(replaced, e.TerraformAddress)
			for _, seq := range e.Undone {
				replaced = append(replaced, strconv.FormatInt(seq, 10))
			}
			e.Type, e.Op, e.Outcome, e.Time, e.Evidence = typ, op, "refused", time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC), nil
			e.Actor.Credential = []string{"session/Actor.Credential", "token/Actor.Credential"}[len(op)%2]
			marks = append(marks, "2026-03-01T09:00:00.123456Z")
			text, err := sink.Render(origin, "", sink.OCSF, "", e)
			if err != nil {
				t.Fatal(err)
			}
			for _, mark := range marks {
				if strings.HasPrefix(mark, "Evidence") || slices.Contains(replaced, mark) {
					continue // evidence is not streamed
				}
				if !strings.Contains(string(text), mark) {
					t.Errorf("%s %s: %s is not in the event", typ, op, mark)
				}
			}
		}
	}
}

// fill sets every field to a value that names it, and lists the values.
func fill(v reflect.Value, path string, marks *[]string) {
	mark := func(s string) string { *marks = append(*marks, s); return s }
	switch v.Type() {
	case reflect.TypeFor[jsontext.Value]():
		v.SetBytes([]byte(`{"at":"` + mark(path) + `"}`))
		return
	case reflect.TypeFor[time.Time]():
		at := time.Date(2020, 1, 1, 0, 0, len(*marks), 0, time.UTC)
		mark(at.Format(time.RFC3339))
		v.Set(reflect.ValueOf(at))
		return
	case reflect.TypeFor[lb.Op]():
		v.SetString(mark(path))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(mark(path))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		n := int64(7_000_000 + len(*marks))
		mark(fmt.Sprint(n))
		v.SetInt(n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path, marks)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), path, marks)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("Key."+path), reflect.ValueOf(mark(path)))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), marks)
		}
	case reflect.Uint8:
		v.SetUint('x')
	}
}

const guide = "../../templates/guides/streams.md"

// The guide's map is the one in use.
func TestTheGuideShowsTheMapToOCSF(t *testing.T) {
	var table strings.Builder
	table.WriteString("| entry | operation | class | activity |\n|---|---|---|---|\n")
	for _, m := range sink.Mappings() {
		op := "any other"
		if m.Op != "" {
			op = "`" + m.Op + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Type, op, m.Class, m.Activity)
	}
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- ocsf -->\n\n", "\n<!-- /ocsf -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	held, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no table between %q and %q", guide, begin, end)
	}
	if held == table.String() {
		return
	}
	if !*update {
		t.Fatalf("the map in %s is not the one in use; run this test with -update", guide)
	}
	if err := os.WriteFile(guide, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
