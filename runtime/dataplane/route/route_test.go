package route

import (
	"slices"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// fromAction compiles a route that matches everything.
func fromAction(action lb.RouteAction) *Route {
	config := lb.NewRoute()
	config.Action = action
	return compile("r", config)
}

func TestPoolsShareARouteByWeight(t *testing.T) {
	r := fromAction(lb.RouteAction{Forward: map[string]lb.ForwardTarget{"a": {Weight: 3}, "b": {Weight: 1}, "off": {Weight: 0}}})
	counts := map[string]int{}
	for range 4000 {
		counts[r.Pool()]++
	}
	// 3000 expected; the bounds are seven standard deviations away.
	if counts["a"] < 2800 || counts["a"] > 3200 || counts["a"]+counts["b"] != 4000 {
		t.Errorf("pools of weights 3, 1 and 0 got %v", counts)
	}
}

func TestARouteWithoutForwardHasNoPool(t *testing.T) {
	for name, action := range map[string]lb.RouteAction{
		"redirect": {Redirect: &lb.Redirect{Status: 301}},
		"weight 0": {Forward: map[string]lb.ForwardTarget{"a": {Weight: 0}, "b": {Weight: 0}}},
	} {
		if pool := fromAction(action).Pool(); pool != "" {
			t.Errorf("%s: pool %q", name, pool)
		}
	}
}

func TestMirrorTakesItsShareOfRequests(t *testing.T) {
	for percent, want := range map[int][2]int{0: {0, 0}, 25: {810, 1190}, 100: {4000, 4000}} {
		r := fromAction(lb.RouteAction{Mirror: &lb.Mirror{Pool: "copy", Percent: percent}})
		n := 0
		for range 4000 {
			switch r.MirrorPool() {
			case "copy":
				n++
			case "":
			default:
				t.Fatalf("mirrors to %q", r.MirrorPool())
			}
		}
		if n < want[0] || n > want[1] { // seven standard deviations
			t.Errorf("%d %%: %d of 4000 requests are mirrored", percent, n)
		}
	}
	if pool := fromAction(lb.RouteAction{}).MirrorPool(); pool != "" {
		t.Errorf("a route without a mirror has %q", pool)
	}
}

func TestARouteHoldsWhatItsConfigurationSays(t *testing.T) {
	config := lb.NewRoute()
	config.Action.FixedResponse = &lb.FixedResponse{Status: 503, ContentType: "text/html", Body: "<p>closed"}
	config.Timeouts = lb.RouteTimeouts{Response: lb.Duration(time.Second), Request: lb.Duration(time.Minute)}
	config.RequestHeaders.Remove = []string{"x-a"}
	config.ResponseHeaders.Remove = []string{"x-b"}
	r := compile("r", config)
	if r.FixedResponse.Status != 503 || r.FixedResponse.ContentType != "text/html" || string(r.FixedResponse.Body) != "<p>closed" {
		t.Errorf("fixed response %+v", r.FixedResponse)
	}
	if r.Name != "r" || r.Timeouts != config.Timeouts || r.Redirect != nil || r.Host != "" {
		t.Errorf("route %+v", r)
	}
	if !r.RequestHeaders.Removes([]byte("x-a")) || !r.ResponseHeaders.Removes([]byte("x-b")) || r.ResponseHeaders.Removes([]byte("x-a")) {
		t.Error("changes to the headers of requests and of responses are mixed up")
	}
	if r := fromAction(lb.RouteAction{Redirect: &lb.Redirect{Status: 308}}); r.Redirect.Status != 308 {
		t.Errorf("redirect %+v", r.Redirect)
	}
}

// edited applies an edit as a proxy does.
func edited(e HeaderEdit, header ...HeaderField) []HeaderField {
	out := slices.DeleteFunc(header, func(f HeaderField) bool { return e.Removes([]byte(f.Name)) })
	return append(out, e.Append...)
}

func TestHeaderEdit(t *testing.T) {
	a, b := HeaderField{"X-A", "1"}, HeaderField{"x-b", "2"}
	for _, tc := range []struct {
		name    string
		changes lb.HeaderChanges
		want    []HeaderField
	}{
		{"nothing", lb.HeaderChanges{}, []HeaderField{a, b}},
		{"remove in any case", lb.HeaderChanges{Remove: []string{"x-a", "X-B"}}, nil},
		{"remove what is not there", lb.HeaderChanges{Remove: []string{"x-c", "x-aa"}}, []HeaderField{a, b}},
		{"set in place of the old value", lb.HeaderChanges{Set: map[string]string{"x-a": "3"}}, []HeaderField{b, {"x-a", "3"}}},
		{"set what is new", lb.HeaderChanges{Set: map[string]string{"X-C": "3"}}, []HeaderField{a, b, {"x-c", "3"}}},
		{"add beside the old value", lb.HeaderChanges{Add: map[string]string{"x-a": "3"}}, []HeaderField{a, b, {"x-a", "3"}}},
		{
			"remove, then set, then add, each by name",
			lb.HeaderChanges{Remove: []string{"x-a"}, Set: map[string]string{"x-d": "4", "x-b": "5"}, Add: map[string]string{"x-b": "6", "x-a": "7"}},
			[]HeaderField{{"x-b", "5"}, {"x-d", "4"}, {"x-a", "7"}, {"x-b", "6"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := edited(compileHeaders(tc.changes), a, b); !slices.Equal(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestNamesOfAnyLengthAreRemoved(t *testing.T) {
	for _, n := range []int{1, 62, 63, 64, 65, 128, 300} {
		name := slices.Repeat([]byte("x"), n)
		e := compileHeaders(lb.HeaderChanges{Remove: []string{string(name)}})
		if !e.Removes(name) || e.Removes(name[1:]) || e.Removes(append(name, 'x')) {
			t.Errorf("a name of %d bytes is not told apart from others", n)
		}
	}
}

func TestProtectedHeadersAreNotEdited(t *testing.T) {
	for _, name := range []string{
		"Connection", "content-length", "Transfer-Encoding", "host", "keep-alive", "proxy-connection", "TE", "trailer", "upgrade",
		"expect", "X-Forwarded-For", "x_forwarded_proto",
	} {
		e := compileHeaders(lb.HeaderChanges{
			Remove: []string{name}, Set: map[string]string{name: "1"}, Add: map[string]string{name: "2"},
		})
		if e.Removes([]byte(name)) || len(e.Append) > 0 {
			t.Errorf("%s is edited", name)
		}
	}
}
