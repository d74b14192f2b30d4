package lb

import (
	"fmt"
	"strings"
	"testing"
)

func TestRouteConditions(t *testing.T) {
	header := func(name string, m ValueMatch) func(*Route) {
		return func(r *Route) { r.Match.Headers = map[string]ValueMatch{name: m} }
	}
	query := func(name string, m ValueMatch) func(*Route) {
		return func(r *Route) { r.Match.Query = map[string]ValueMatch{name: m} }
	}
	many := map[string]ValueMatch{}
	for i := range 17 {
		many[fmt.Sprintf("x-%d", i)] = ValueMatch{MatchPresent, ""}
	}
	const x = "/match/headers/x-a"
	runViolationTests(t, validRoute, []violationTest[*Route]{
		{"regular expression", func(r *Route) { r.Match.PathRegex = `/v\d+/.*` }, valid, ""},
		{"regular expression that is none", func(r *Route) { r.Match.PathRegex = "(" }, "/match/path_regex", "is not an RE2 expression"},
		{"regular expression and exact path", func(r *Route) { r.Match.PathRegex, r.Match.PathExact = "/.*", "/a" }, "/match/path_regex", "choose one"},
		{"regular expression and prefix", func(r *Route) { r.Match.PathRegex, r.Match.PathPrefix = "/.*", "/a" }, "/match/path_regex", "choose one"},
		{"exact path with a query", func(r *Route) { r.Match.PathExact = "/a?b" }, "/match/path_exact", "without a query"},
		{"prefix with a query", func(r *Route) { r.Match.PathPrefix = "/a?" }, "/match/path_prefix", "without a query"},
		{"exact", header("x-a", ValueMatch{MatchExact, "1"}), valid, ""},
		{"exactly nothing", header("x-a", ValueMatch{MatchExact, ""}), valid, ""},
		{"prefix", query("Q", ValueMatch{MatchPrefix, "a b"}), valid, ""},
		{"regex", query("q", ValueMatch{MatchRegex, `\d+`}), valid, ""},
		{"present", header("x-a", ValueMatch{MatchPresent, ""}), valid, ""},
		{"absent", query("q", ValueMatch{MatchAbsent, ""}), valid, ""},
		{"type", header("x-a", ValueMatch{"glob", "*"}), x, `type "glob" must be one of exact, prefix, regex, present and absent`},
		{"prefix of nothing", header("x-a", ValueMatch{MatchPrefix, ""}), x, "type present takes any value"},
		{"regex of nothing", header("x-a", ValueMatch{MatchRegex, ""}), x, "value is required"},
		{"regex that is none", header("x-a", ValueMatch{MatchRegex, "("}), x, "value is not an RE2 expression"},
		{"present with a value", header("x-a", ValueMatch{MatchPresent, "1"}), x, "is not looked at by type present"},
		{"absent with a value", header("x-a", ValueMatch{MatchAbsent, "1"}), x, "is not looked at by type absent"},
		{"value with a line break", header("x-a", ValueMatch{MatchExact, "a\nb"}), x, "value must not contain control"},
		{"value of 4097 bytes", header("x-a", ValueMatch{MatchExact, strings.Repeat("x", 4097)}), x, "value is 4097 bytes long"},
		{"header in capitals", header("X-A", ValueMatch{MatchPresent, ""}), "/match/headers/X-A", `in lower case: "x-a"`},
		{"header that is no token", header("x a", ValueMatch{MatchPresent, ""}), "/match/headers/x a", "must be a name"},
		{"parameter without a name", query("", ValueMatch{MatchPresent, ""}), "/match/query/", "is required"},
		{"parameter with a line break", query("a\nb", ValueMatch{MatchPresent, ""}), "/match/query", "control"},
		{"17 headers", func(r *Route) { r.Match.Headers = many }, "/match/headers", "17 headers; at most 16"},
		{"17 parameters", func(r *Route) { r.Match.Query = many }, "/match/query", "17 parameters; at most 16"},
		{"time for a response", func(r *Route) { r.Timeouts.Response = MinTimeout }, valid, ""},
		{"time for a response below", func(r *Route) { r.Timeouts.Response = 1 }, "/timeouts/response", "0s or between 10ms and 24h"},
		{"time for a request above", func(r *Route) { r.Timeouts.Request = MaxTimeout + 1 }, "/timeouts/request", "0s or between 10ms and 24h"},
	})
}

func redirectTo(to Redirect) func(*Route) {
	return func(r *Route) {
		if to.Status == 0 {
			to.Status = DefaultRedirectStatus
		}
		r.Action.Forward, r.Action.Redirect = nil, &to
	}
}

func TestARouteDoesExactlyOneThing(t *testing.T) {
	answer := &FixedResponse{200, DefaultContentType, ""}
	runViolationTests(t, validRoute, []violationTest[*Route]{
		{"nothing", func(r *Route) { r.Action = RouteAction{} }, "/action", "exactly one of forward (with at least one pool), redirect and fixed_response"},
		{"redirect", redirectTo(Redirect{Scheme: "https"}), valid, ""},
		{"answer", func(r *Route) { r.Action = RouteAction{FixedResponse: answer} }, valid, ""},
		{"forward and redirect", func(r *Route) { r.Action.Redirect = &Redirect{Status: 301, Path: "/a"} }, "/action", "exactly one"},
		{"forward and answer", func(r *Route) { r.Action.FixedResponse = answer }, "/action", "exactly one"},
		{"redirect and answer", func(r *Route) {
			r.Action = RouteAction{Redirect: &Redirect{Status: 301, Path: "/a"}, FixedResponse: answer}
		}, "/action", "exactly one"},
		{"rewrite without forward", func(r *Route) { r.Action = RouteAction{FixedResponse: answer, Rewrite: &Rewrite{Host: "a"}} }, "/action/rewrite", "goes with forward"},
		{"mirror without forward", func(r *Route) { r.Action = RouteAction{FixedResponse: answer, Mirror: &Mirror{"web", 1}} }, "/action/mirror", "goes with forward"},
		{"mirror", func(r *Route) { r.Action.Mirror = &Mirror{"next", 0} }, valid, ""},
		{"mirror's pool", func(r *Route) { r.Action.Mirror = &Mirror{"", 1} }, "/action/mirror/pool", "lower-case"},
		{"mirror's share", func(r *Route) { r.Action.Mirror = &Mirror{"next", 101} }, "/action/mirror/percent", "between 0 and 100"},
	})
}

func TestRedirectBounds(t *testing.T) {
	const at = "/action/redirect"
	runViolationTests(t, validRoute, []violationTest[*Route]{
		{"all of it", redirectTo(Redirect{308, "https", "App.example.com", 8443, "/new", "", true}), valid, ""},
		{"status", redirectTo(Redirect{Status: 200, Path: "/a"}), at + "/status", "200 must be one of 301, 302, 303, 307 and 308"},
		{"scheme", redirectTo(Redirect{Scheme: "javascript"}), at + "/scheme", "http and https"},
		{"host with a port", redirectTo(Redirect{Host: "a:80"}), at + "/host", "DNS name"},
		{"IPv6 host", redirectTo(Redirect{Host: "::1"}), valid, ""},
		{"host with a zone", redirectTo(Redirect{Host: "fe80::1%eth0"}), at + "/host", "DNS name"},
		{"port above", redirectTo(Redirect{Port: 65536}), at + "/port", "between 0 and 65535"},
		{"path without a slash", redirectTo(Redirect{Path: "a"}), at + "/path", "begin with /"},
		{"path that is a host", redirectTo(Redirect{Path: "//evil.example.com"}), at + "/path", "read as a host"},
		{"path with a backslash", redirectTo(Redirect{Path: `/\evil.example.com`}), at + "/path", "read as a host"},
		{"path with a query", redirectTo(Redirect{Path: "/a?b"}), at + "/path", "without a query"},
		{"path with a line break", redirectTo(Redirect{Path: "/\r\nX: y"}), at + "/path", "percent-encode"},
		{"prefix", func(r *Route) { r.Match.PathPrefix = "/old"; redirectTo(Redirect{PathPrefix: "/new"})(r) }, valid, ""},
		{"prefix of nothing", redirectTo(Redirect{PathPrefix: "/new"}), at + "/path_prefix", "match.path_prefix matched"},
		{"prefix and path", func(r *Route) { r.Match.PathPrefix = "/old"; redirectTo(Redirect{Path: "/a", PathPrefix: "/new"})(r) }, at + "/path_prefix", "choose one"},
		{"prefix that is a host", func(r *Route) { r.Match.PathPrefix = "/old"; redirectTo(Redirect{PathPrefix: "//evil"})(r) }, at + "/path_prefix", "read as a host"},
		{"to itself", redirectTo(Redirect{}), at, "leads back"},
		{"to itself without the query", redirectTo(Redirect{StripQuery: true}), at, "leads back"},
		{"away from a query", func(r *Route) {
			r.Match.Query = map[string]ValueMatch{"utm": {MatchPresent, ""}}
			redirectTo(Redirect{StripQuery: true})(r)
		}, valid, ""},
	})
}

func TestFixedResponseBounds(t *testing.T) {
	answer := func(status int, contentType, body string) func(*Route) {
		return func(r *Route) { r.Action = RouteAction{FixedResponse: &FixedResponse{status, contentType, body}} }
	}
	const at = "/action/fixed_response"
	runViolationTests(t, validRoute, []violationTest[*Route]{
		{"maintenance", answer(503, "text/html; charset=utf-8", "<h1>Back soon</h1>\n"), valid, ""},
		{"at the most", answer(599, DefaultContentType, strings.Repeat("x", MaxFixedBodyBytes)), valid, ""},
		{"no content", answer(204, DefaultContentType, ""), valid, ""},
		{"status 199", answer(199, DefaultContentType, ""), at + "/status", "between 200 and 599"},
		{"status 600", answer(600, DefaultContentType, ""), at + "/status", "between 200 and 599"},
		{"no content with content", answer(204, DefaultContentType, "x"), at + "/body", "status 204 has no body"},
		{"not modified with content", answer(304, DefaultContentType, "x"), at + "/body", "status 304 has no body"},
		{"body above", answer(200, DefaultContentType, strings.Repeat("x", MaxFixedBodyBytes+1)), at + "/body", "is 65537 bytes; at most 65536"},
		{"body that is not text", answer(200, DefaultContentType, "\xff"), at + "/body", "valid UTF-8"},
		{"body with a private key", answer(200, DefaultContentType, "-----BEGIN PRIVATE KEY-----"), at + "/body", "private key"},
		{"no type", answer(200, "", "x"), at + "/content_type", "must be a media type"},
		{"type that is none", answer(200, "text html", "x"), at + "/content_type", "must be a media type"},
		{"type with a line break", answer(200, "text/html\r\nX: y", "x"), at + "/content_type", "must be a media type"},
		{"type with a control character", answer(200, "text/html; a=\"\x01\"", "x"), at + "/content_type", "must be a media type"},
		{"type that is long", answer(200, "text/html; a="+strings.Repeat("x", 255), "x"), at + "/content_type", "at most 255"},
	})
}

func TestRewriteBounds(t *testing.T) {
	rewrite := func(to Rewrite) func(*Route) { return func(r *Route) { r.Action.Rewrite = &to } }
	regex := func(expr string, to Rewrite) func(*Route) {
		return func(r *Route) { r.Match.PathRegex, r.Action.Rewrite = expr, &to }
	}
	const at = "/action/rewrite"
	runViolationTests(t, validRoute, []violationTest[*Route]{
		{"host", rewrite(Rewrite{Host: "App.internal:8080"}), valid, ""},
		{"path", rewrite(Rewrite{Path: "/new"}), valid, ""},
		{"dollar sign without an expression", rewrite(Rewrite{Path: "/$1"}), valid, ""},
		{"groups", regex(`/(\d+)/(?P<rest>.*)`, Rewrite{Path: "/v/$1/${rest}"}), valid, ""},
		{"prefix", func(r *Route) { r.Match.PathPrefix, r.Action.Rewrite = "/api", &Rewrite{PathPrefix: "/"} }, valid, ""},
		{"nothing", rewrite(Rewrite{}), at, "changes nothing"},
		{"host with a path", rewrite(Rewrite{Host: "a/b"}), at + "/host", "must be a host"},
		{"path without a slash", rewrite(Rewrite{Path: "new"}), at + "/path", "begin with /"},
		{"path that is a host", rewrite(Rewrite{Path: "//a"}), at + "/path", "read as a host"},
		{"path with a query", rewrite(Rewrite{Path: "/a?b=c"}), at + "/path", "without a query"},
		{"group that is not there", regex(`/(a)`, Rewrite{Path: "/$2"}), at + "/path", `refers to "$2"`},
		{"prefix of nothing", rewrite(Rewrite{PathPrefix: "/new"}), at + "/path_prefix", "match.path_prefix matched"},
		{"prefix and path", func(r *Route) { r.Match.PathPrefix, r.Action.Rewrite = "/api", &Rewrite{Path: "/a", PathPrefix: "/"} }, at + "/path_prefix", "choose one"},
	})
}
