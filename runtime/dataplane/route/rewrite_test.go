package route

import (
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func rewriting(match lb.RouteMatch, to lb.Rewrite) *Route {
	config := forward(match, 0)
	config.Action.Rewrite = &to
	return compile("r", config)
}

func TestRewrite(t *testing.T) {
	prefix := func(p string) lb.RouteMatch { return lb.RouteMatch{PathPrefix: p} }
	regex := func(p string) lb.RouteMatch { return lb.RouteMatch{PathRegex: p} }
	for _, tc := range []struct {
		name         string
		match        lb.RouteMatch
		to           lb.Rewrite
		target, want string
	}{
		{"nothing", prefix("/old"), lb.Rewrite{}, "/x/..//old/%7Ea?b=%20&c", "/x/..//old/%7Ea?b=%20&c"},
		{"host alone", prefix("/old"), lb.Rewrite{Host: "b.test"}, "/old?", "/old?"},
		{"path", prefix("/old"), lb.Rewrite{Path: "/new%2F$1"}, "/old/x?y", "/new%2F$1?y"},
		{"path is a path", prefix("/old"), lb.Rewrite{Path: "/a?b"}, "/old", "/a%3Fb"},
		{"prefix", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/old/x?y", "/new/x?y"},
		{"prefix alone", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/old", "/new"},
		{"prefix with a slash", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/old/", "/new/"},
		{"slashes at the ends mean nothing", prefix("/old/"), lb.Rewrite{PathPrefix: "/new/"}, "/old/x", "/new/x"},
		{"the rest stays encoded", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/old/a%2Fb%20c//d", "/new/a%2Fb%20c//d"},
		{"prefix becomes the root", prefix("/old"), lb.Rewrite{PathPrefix: "/"}, "/old/x", "/x"},
		{"prefix becomes the root alone", prefix("/old"), lb.Rewrite{PathPrefix: "/"}, "/old", "/"},
		{"the root has one slash", prefix("/old"), lb.Rewrite{PathPrefix: "/"}, "/old//x", "/x"},
		{"root becomes a prefix", prefix("/"), lb.Rewrite{PathPrefix: "/new"}, "/x", "/new/x"},
		{"root alone becomes a prefix", prefix("/"), lb.Rewrite{PathPrefix: "/new"}, "/", "/new/"},
		{"prefix sent with encoding", prefix("/caf%C3%A9"), lb.Rewrite{PathPrefix: "/new"}, "//c%61f%c3%a9//x", "/new//x"},
		{"prefix before an encoded slash", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/old%2Fx", "/new%2Fx"},
		{"prefix before dot segments", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/old/../../old/x%20y", "/new/x%20y"},
		{"prefix behind dot segments", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/x/%2e%2e/old", "/new"},
		{"dot segments behind encoded slashes", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/old/a%2f..%2fb", "/new/b"},
		{"dot segments beside what is encoded twice", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/old/%252e%252e/./x", "/new/%252e%252e/x"},
		{"dot segments before the root", prefix("/old"), lb.Rewrite{PathPrefix: "/"}, "/x/../old", "/"},
		{"dot segments before the root's rest", prefix("/old"), lb.Rewrite{PathPrefix: "/"}, "/x/../old/y", "/y"},
		{"prefix without match", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/other", "/other"},
		{"prefix within a segment", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "/older", "/older"},
		{"prefix without prefix", lb.RouteMatch{PathExact: "/old"}, lb.Rewrite{PathPrefix: "/new"}, "/old", "/old"},
		{"regex", regex("/u/([0-9]+)/(.*)"), lb.Rewrite{Path: "/$2/${1}x"}, "/u/7/a/b?c", "/a/b/7x?c"},
		{"regex with names", regex("/(?P<lang>[a-z]+)/(?P<page>.*)"), lb.Rewrite{Path: "/p/${page}/$lang"}, "/de/x", "/p/x/de"},
		{"regex and the whole path", regex("/.*"), lb.Rewrite{Path: "/all$0"}, "/x", "/all/x"},
		{"regex with longest names", regex("/(.*)"), lb.Rewrite{Path: "/a$1b/$9/$none/$1"}, "/x", "/a/x"},
		{"regex with dollar signs", regex("/(.*)"), lb.Rewrite{Path: "/$$1/$/${/${}/%241/$1"}, "/x", "/$1/$/$%7B/$%7B%7D/$1/x"},
		{"regex with a group that is left out", regex("/a(/b)?"), lb.Rewrite{Path: "/x$1"}, "/a", "/x"},
		{"submatches are encoded", regex("/(.*)"), lb.Rewrite{Path: "/new/$1"}, "/%3F%23%25%0d%0a%20é\\;=", "/new/%3F%23%25%0D%0A%20%C3%A9%5C;="},
		{"submatches can't climb", regex("/(.*)-(.*)"), lb.Rewrite{Path: "/a/b/$1.$2"}, "/.-/x", "/a/b/x"},
		{"submatches can't make a host", regex("/(.*)"), lb.Rewrite{Path: "$1"}, "/x", "/x"},
		{"submatches can't make slashes", regex("(.*)"), lb.Rewrite{Path: "/$1"}, "/x", "/x"},
		{"the template is encoded already", regex("/(.*)"), lb.Rewrite{Path: "/a%20b/$1"}, "/x", "/a%20b/x"},
		{"the template's malformed encoding means itself", regex("/(.*)"), lb.Rewrite{Path: "/100%/$1"}, "/x", "/100%25/x"},
		{"regex without match", regex("/a"), lb.Rewrite{Path: "/b"}, "/x", "/x"},
		{"regex with malformed encoding", regex("/.*"), lb.Rewrite{Path: "/b"}, "/%4", "/%4"},
		{"a target that is no path", prefix("/old"), lb.Rewrite{PathPrefix: "/new"}, "*", "*"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path, query := split(tc.target)
			got := rewriting(tc.match, tc.to).AppendTarget([]byte("GET "), path, query)
			if string(got) != "GET "+tc.want {
				t.Errorf("%s becomes %s, want %s", tc.target, got, tc.want)
			}
		})
	}
}

func TestRewriteNamesTheHost(t *testing.T) {
	if r := rewriting(lb.RouteMatch{}, lb.Rewrite{Host: "b.test"}); r.Host != "b.test" {
		t.Errorf("the host is %q", r.Host)
	}
}

// FuzzARewrittenRequestStaysBelowItsPrefix holds what a replaced prefix is for: members
// may rely on it that routes keep clients below it.
func FuzzARewrittenRequestStaysBelowItsPrefix(f *testing.F) {
	routes := map[string]*Route{
		"/new":  rewriting(lb.RouteMatch{PathPrefix: "/old"}, lb.Rewrite{PathPrefix: "/new"}),
		"/a/b":  rewriting(lb.RouteMatch{PathPrefix: "/"}, lb.Rewrite{PathPrefix: "/a/b/"}),
		"":      rewriting(lb.RouteMatch{PathPrefix: "/old"}, lb.Rewrite{PathPrefix: "/"}),
		"/x/re": rewriting(lb.RouteMatch{PathRegex: "/old(.*)"}, lb.Rewrite{Path: "/x/re/$1"}),
	}
	for _, seed := range []string{"/old", "/old/../old/x", "/old/%2e%2e/%2e%2e/old//x", "//old%2f..%2Fold", "/old..", "/old/./a/..", `/old/..\..`, "/old/a%2Fb?", "/./old"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		for prefix, r := range routes {
			table := New(map[string]*lb.Route{"r": r.config}, nil)
			found, err := table.Match(&Request{Path: []byte(sent)})
			if err != nil || found == nil {
				continue
			}
			got := string(found.AppendTarget(nil, []byte(sent), nil))
			for _, c := range []byte(got) {
				if c <= ' ' || c >= 0x7f || c == '?' || c == '#' {
					t.Fatalf("%q becomes %q", sent, got)
				}
			}
			if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") {
				t.Fatalf("%q becomes %q, which may be read as a host", sent, got)
			}
			member, err := appendCanonicalPath(nil, []byte(got))
			if err != nil || string(member) != prefix && !strings.HasPrefix(string(member), prefix+"/") {
				t.Fatalf("%q becomes %q, which a member reads as %q: outside of %s (%v)", sent, got, member, prefix, err)
			}
		}
	})
}
