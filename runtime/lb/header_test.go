package lb

import (
	"fmt"
	"strings"
	"testing"
)

func TestHeadersThatNobodyMayChange(t *testing.T) {
	for name, want := range map[string]bool{
		"content-length": true, "transfer-encoding": true, "connection": true, "te": true, "host": true, "via": true, "forwarded": true,
		"x-forwarded-for": true, "x-forwarded-anything": true, "x-real-ip": true, "x_forwarded_for": true, "content_length": true, "x-forwarded_proto": true,
		"x-forwarded": false, "x-request-id": false, "set-cookie": false, "authorization": false, "hostname": false, "x-host": false, "": false,
	} {
		if got := HeaderProtected(name); got != want {
			t.Errorf("%q protected: %t, want %t", name, got, want)
		}
	}
}

func TestHeaderChanges(t *testing.T) {
	set := func(name, value string) func(*Route) {
		return func(r *Route) { r.RequestHeaders.Set = map[string]string{name: value} }
	}
	add := func(name, value string) func(*Route) {
		return func(r *Route) { r.ResponseHeaders.Add = map[string]string{name: value} }
	}
	remove := func(names ...string) func(*Route) {
		return func(r *Route) { r.ResponseHeaders.Remove = names }
	}
	many, names := map[string]string{}, []string{}
	for i := range MaxHeaderChanges + 1 {
		names = append(names, fmt.Sprintf("x-%d", i))
		many[names[i]] = ""
	}
	runViolationTests(t, validRoute, []violationTest[*Route]{
		{"set", set("x-team", "web"), valid, ""},
		{"value that is empty", set("x-team", ""), valid, ""},
		{"value beyond ASCII", set("x-team", "wéb"), valid, ""},
		{"add", add("set-cookie", "a=b; Path=/"), valid, ""},
		{"remove", remove("Server", "x-powered-by"), valid, ""},
		{"the same name in all three", func(r *Route) {
			r.RequestHeaders = HeaderChanges{map[string]string{"x-a": "1"}, map[string]string{"x-a": "2"}, []string{"x-a"}}
		}, valid, ""},
		{"name in capitals", set("X-Team", "web"), "/request_headers/set/X-Team", `must be written in lower case: "x-team"`},
		{"no name", add("", "x"), "/response_headers/add/", "is required"},
		{"name with a space", add("x y", "x"), "/response_headers/add/x y", "must be a name"},
		{"name of HTTP/2's own", set(":path", "/"), "/request_headers/set/:path", "must be a name"},
		{"name with a line break", set("x\r\ny", "x"), "/request_headers/set", "must be a name"},
		{"name of 129 bytes", set(strings.Repeat("x", 129), ""), "/request_headers/set", "at most 128"},
		{"value with a line break", set("x-a", "1\r\nx-b: 2"), "/request_headers/set/x-a", "U+000D"},
		{"value with a tab", set("x-a", "1\t2"), "/request_headers/set/x-a", "U+0009"},
		{"value that begins with a space", add("x-a", " 1"), "/response_headers/add/x-a", "begin or end with a space"},
		{"value of 4097 bytes", add("x-a", strings.Repeat("x", 4097)), "/response_headers/add/x-a", "at most 4096"},
		{"value with a private key", add("x-a", "-----BEGIN PRIVATE KEY-----"), "/response_headers/add/x-a", "private key"},
		{"set what frames the message", set("content-length", "1"), "/request_headers/set/content-length", "can't be changed"},
		{"add who the client is", func(r *Route) { r.RequestHeaders.Add = map[string]string{"x-forwarded-for": "127.0.0.1"} }, "/request_headers/add/x-forwarded-for", "can't be changed"},
		{"remove what frames the message", remove("Transfer-Encoding"), "/response_headers/remove/0", "can't be changed"},
		{"remove what is no name", remove("a", "b c"), "/response_headers/remove/1", "must be a name"},
		{"33 set", func(r *Route) { r.RequestHeaders.Set = many }, "/request_headers/set", "33 headers; at most 32"},
		{"33 removed", remove(names...), "/response_headers/remove", "33 headers; at most 32"},
		{"33 added", func(r *Route) { r.RequestHeaders.Add = many }, "/request_headers/add", "33 headers; at most 32"},
	})
}
