package route

import (
	"net/url"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// redirecting is a route with a prefix of /old.
func redirecting(to lb.Redirect) *Redirect {
	config := lb.NewRoute()
	config.Match.PathPrefix = "/old"
	config.Action.Redirect = &to
	return compile("r", config).Redirect
}

// split separates a target into path and query, nil without one.
func split(target string) (path, query []byte) {
	before, after, found := strings.Cut(target, "?")
	if found {
		query = []byte(after)
	}
	return []byte(before), query
}

func TestARedirectKeepsWhatItDoesNotSay(t *testing.T) {
	for _, tc := range []struct {
		name         string
		to           lb.Redirect
		secure       bool
		host, target string
		want         string
	}{
		{name: "nothing said", host: "A.test", target: "/old?x=1", want: "http://A.test/old?x=1"},
		{name: "nothing said, https", secure: true, host: "a.test", target: "/old", want: "https://a.test/old"},
		{name: "port stays", host: "a.test:8080", target: "/", want: "http://a.test:8080/"},
		{name: "own port is left out", host: "a.test:80", target: "/", want: "http://a.test/"},
		{name: "scheme", to: lb.Redirect{Scheme: "https"}, host: "a.test", target: "/old", want: "https://a.test/old"},
		{name: "scheme takes its port along", to: lb.Redirect{Scheme: "https"}, host: "a.test:8080", target: "/", want: "https://a.test/"},
		{name: "scheme as it was", to: lb.Redirect{Scheme: "http"}, host: "a.test:8080", target: "/", want: "http://a.test:8080/"},
		{name: "port", to: lb.Redirect{Port: 8443, Scheme: "https"}, host: "a.test:8080", target: "/", want: "https://a.test:8443/"},
		{name: "port of the scheme", to: lb.Redirect{Port: 443, Scheme: "https"}, host: "a.test:80", target: "/", want: "https://a.test/"},
		{name: "port of another scheme", to: lb.Redirect{Port: 80, Scheme: "https"}, host: "a.test", target: "/", want: "https://a.test:80/"},
		{name: "host", to: lb.Redirect{Host: "b.test"}, host: "a.test:8080", target: "/old", want: "http://b.test:8080/old"},
		{name: "host, IPv6", to: lb.Redirect{Host: "2001:db8::1", Port: 81}, host: "a.test", target: "/", want: "http://[2001:db8::1]:81/"},
		{name: "requested IPv6", to: lb.Redirect{Path: "/x"}, host: "[::1]:8080", target: "/", want: "http://[::1]:8080/x"},
		{name: "path", to: lb.Redirect{Path: "/new"}, host: "a.test", target: "/old/x?y=1", want: "http://a.test/new?y=1"},
		{name: "path is a path", to: lb.Redirect{Path: "/a b?c#d$1"}, host: "a.test", target: "/old", want: "http://a.test/a%20b%3Fc%23d$1"},
		{name: "prefix", to: lb.Redirect{PathPrefix: "/new"}, host: "a.test", target: "/old/x%2Fy", want: "http://a.test/new/x%2Fy"},
		{name: "prefix alone", to: lb.Redirect{PathPrefix: "/new/"}, host: "a.test", target: "/old", want: "http://a.test/new"},
		{name: "prefix becomes the root", to: lb.Redirect{PathPrefix: "/"}, host: "a.test", target: "/old", want: "http://a.test/"},
		{name: "query goes", to: lb.Redirect{StripQuery: true}, host: "a.test", target: "/old?x=1", want: "http://a.test/old"},
		{name: "an empty query stays", host: "a.test", target: "/old?", want: "http://a.test/old?"},
		{name: "no path", host: "a.test", target: "", want: "http://a.test/"},
		{name: "a target that is no path", host: "a.test", target: "*", want: "http://a.test/"},
		{name: "no host", host: "", target: "/old?x", want: "/old?x"},
		{name: "no host but a configured one", to: lb.Redirect{Host: "b.test"}, target: "/old", want: "http://b.test/old"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path, query := split(tc.target)
			got := redirecting(tc.to).AppendLocation([]byte("Location: "), tc.secure, []byte(tc.host), path, query)
			if string(got) != "Location: "+tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// redirects are in ways to go wrong with a request.
var redirects = map[string]lb.Redirect{
	"empty":    {},
	"scheme":   {Scheme: "https"},
	"port":     {Port: 8080},
	"prefix":   {PathPrefix: "/new"},
	"root":     {PathPrefix: "/"},
	"slashes":  {PathPrefix: "//evil.test"},
	"path":     {Path: "//evil.test/\r\nX: y"},
	"no query": {StripQuery: true},
}

// checkStays fails if a browser would leave the requested host or see a second field.
func checkStays(t *testing.T, to *Redirect, host, path, query []byte) {
	t.Helper()
	got := string(to.AppendLocation(nil, false, host, path, query))
	for _, c := range []byte(got) {
		if c <= ' ' || c >= 0x7f {
			t.Fatalf("%q for host %q, path %q, query %q holds %q", got, host, path, query, c)
		}
	}
	location, _, _ := strings.Cut(got, "?")
	if strings.HasPrefix(got, "/") {
		if strings.HasPrefix(got, "//") || strings.Contains(location, `\`) {
			t.Fatalf("%q for host %q, path %q leads to another host", got, host, path)
		}
		return
	}
	u, err := url.Parse(location)
	if err != nil && strings.Contains(location, "://[") {
		return // what stands in the brackets is no address, and leads nowhere
	}
	if err != nil {
		t.Fatalf("%q for host %q is not a URL: %s", got, host, err)
	}
	bare, _ := cutPort(host)
	if want := strings.Trim(string(bare), "[]"); u.Hostname() != want || u.User != nil {
		t.Fatalf("%q leads to %q, want %q", got, u.Hostname(), want)
	}
	if !strings.HasPrefix(u.EscapedPath(), "/") || strings.HasPrefix(u.EscapedPath(), "//") || strings.Contains(location, `\`) {
		t.Fatalf("%q has the path %q", got, u.EscapedPath())
	}
}

var hostileRequests = []struct{ host, target string }{
	{"", "//evil.test"},
	{"", "//evil.test/old"},
	{"", "///evil.test"},
	{"", `/\evil.test`},
	{"", `\\evil.test`},
	{"", "/old//evil.test"},
	{"", `/old/\evil.test`},
	{"", "/old%2f%2fevil.test"},
	{"", "/old/..//evil.test"},
	{"", "/x/..//old//evil.test"},
	{"", "/./old/%2e%2e//old/\\evil.test"},
	{"", "http://evil.test/"},
	{"", "evil.test"},
	{"", "/\t/evil.test"},
	{"a.test", "//evil.test"},
	{"a.test", "@evil.test/"},
	{"a.test", ".evil.test"},
	{"a.test", "/\r\nSet-Cookie: a=b"},
	{"a.test", "/?\r\nSet-Cookie: a=b"},
	{"a.test", "/old?#@evil.test"},
	{"a.test\r\nSet-Cookie: a=b", "/"},
	{"a.test@evil.test", "/"},
	{"a.test/@evil.test", "/"},
	{"user:pass@evil.test", "/"},
	{`evil.test\`, "/"},
	{"evil.test#", "/"},
	{"evil.test?", "/"},
	{"a.test:80@evil.test", "/"},
	{"a.test:99999999", "/"},
	{"a.test:+1", "/"},
	{"[::1]evil.test", "/"},
	{"[a]b]:80", "/"},
	{"[0]", "/"},
	{"[a.test@evil.test]", "/"},
	{"::1", "/"},
	{"%65vil.test", "/"},
}

func TestARedirectDoesNotLeaveTheRequestedHost(t *testing.T) {
	for name, to := range redirects {
		t.Run(name, func(t *testing.T) {
			for _, tc := range hostileRequests {
				path, query := split(tc.target)
				checkStays(t, redirecting(to), []byte(tc.host), path, query)
			}
		})
	}
}

func FuzzARedirectDoesNotLeaveTheRequestedHost(f *testing.F) {
	for _, tc := range hostileRequests {
		f.Add(tc.host, tc.target, "")
	}
	compiled := map[string]*Redirect{}
	for name, to := range redirects {
		compiled[name] = redirecting(to)
	}
	f.Fuzz(func(t *testing.T, host, path, query string) {
		if _, err := appendDecoded(nil, []byte(path)); err != nil {
			return // such a request is refused
		}
		for _, to := range compiled {
			checkStays(t, to, []byte(host), []byte(path), []byte(query))
		}
	})
}
