package route

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestCanonicalPath(t *testing.T) {
	for sent, want := range map[string]string{
		"/":                    "/",
		"/a":                   "/a",
		"/a/":                  "/a/",
		"/a//":                 "/a/",
		"///a///b":             "/a/b",
		"/a/./b":               "/a/b",
		"/a/.":                 "/a/",
		"/a/..":                "/",
		"/a/b/..":              "/a/",
		"/a/b/../":             "/a/",
		"/a/b/../../..":        "/",
		"/..":                  "/",
		"/../..//a":            "/a",
		"/a//../b":             "/b",
		"/.well-known/x":       "/.well-known/x",
		"/a/...":               "/a/...",
		"/a/..b/.c":            "/a/..b/.c",
		"/public/..%2fadmin":   "/admin",
		"/public/%2e%2E/admin": "/admin",
		"/public/.%2e":         "/",
		"/a%2F%2fb":            "/a/b",
		"/caf%C3%A9":           "/café",
		"/%00%0d%0A%20%7f":     "/\x00\r\n \x7f",
		"/%252e%252e/a":        "/%2e%2e/a",
		"/a+b":                 "/a+b",
		// As RFC 3986 §5.2.4 has it.
		"/a/b/c/./../../g": "/a/g",
	} {
		got, err := appendCanonicalPath([]byte("before"), []byte(sent))
		if err != nil || string(got) != "before"+want {
			t.Errorf("%s is %q (%v), want %q", sent, got[len("before"):], err, want)
		}
	}
}

func TestMalformedEncodingIsNotAPath(t *testing.T) {
	for _, sent := range []string{"/%", "/a%", "/a%4", "/%zz", "/%4z", "/%z4", "/%%41", "/%-1", "/%e\xe9", "/%41%"} {
		if got, err := appendCanonicalPath(nil, []byte(sent)); !errors.Is(err, ErrPathEncoding) {
			t.Errorf("%s is taken for %q (%v)", sent, got, err)
		}
	}
}

func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{"/", "/a/../b", "/public/..%2fadmin", "/%2e%2e%2F%2f/", "/a/%2e", "//", "/%41%", "/..;/a", "/a/b/../../../c//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		sent = "/" + sent
		canonical, err := appendCanonicalPath(nil, []byte(sent))
		if err != nil {
			return
		}
		if len(canonical) == 0 || canonical[0] != '/' {
			t.Fatalf("%q becomes %q, which does not begin with a slash", sent, canonical)
		}
		if bytes.Contains(canonical, []byte("//")) || hasDotSegments(canonical) {
			t.Fatalf("%q becomes %q", sent, canonical)
		}
		if want := modelPath(sent); string(canonical) != want {
			t.Fatalf("%q becomes %q, want %q", sent, canonical, want)
		}
		again, err := appendCanonicalPath(nil, appendDecodedPath(nil, canonical))
		if err != nil || !bytes.Equal(again, canonical) {
			t.Fatalf("%q becomes %q, and that %q (%v)", sent, canonical, again, err)
		}
		if isCanonical([]byte(sent)) && string(canonical) != sent {
			t.Fatalf("%q is taken for canonical, which is %q", sent, canonical)
		}
	})
}

func TestCanonicalHost(t *testing.T) {
	long := strings.Repeat("a.", 300) + "Example.com"
	for _, tc := range []struct {
		host, want string
		whole      bool
	}{
		{"", "", true},
		{"Example.COM", "example.com", true},
		{"example.com.", "example.com", true},
		{"example.com.:80", "example.com", true},
		{"example.com:", "example.com", true},
		{":80", "", true},
		{"[::1]", "::1", true},
		{"[2001:DB8::1]:8443", "2001:db8::1", true},
		{"2001:db8::1", "2001:db8::1", true},
		{"[::1", "[::1", true},
		{"[::1]x", "[::1]x", true},
		{"[", "[", true},
		{"[]", "", true},
		{"a:b:80", "a:b:80", true},
		{long, strings.ToLower(long[len(long)-maxHostLength:]), false},
	} {
		var buf [maxHostLength]byte
		got, whole := canonicalHost(&buf, []byte(tc.host))
		if string(got) != tc.want || whole != tc.whole {
			t.Errorf("%.40s is %.40q (%t), want %.40q (%t)", tc.host, got, whole, tc.want, tc.whole)
		}
	}
}
