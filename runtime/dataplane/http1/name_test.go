package http1

import (
	"strings"
	"testing"
)

func TestNamesAreKnownInAnyCase(t *testing.T) {
	names := map[string]HeaderID{}
	for _, byLength := range known {
		for _, k := range byLength {
			names[k.name] = k.id
		}
	}
	for name, id := range map[string]HeaderID{
		"x-forwarded":         XForwarded,
		"x-forwarded-":        XForwarded,
		"x-forwarded-port":    XForwarded,
		"x-forwarded-for-foo": XForwarded,
		"x-forwardedfor":      XForwarded,
		"x_forwarded_for":     XForwarded,
		"x-forwarded_proto":   XForwarded,
		"x_forwarded-host":    XForwarded,
		"x-real-ip":           XForwarded,
		"x_real_ip":           XForwarded,
		"x-real_ip":           XForwarded,
		"x-real-ip2":          Other,
		"x-real-i":            Other,
		"x-forwarde":          Other,
		"xxforwarded":         Other,
		"x-forwarded-for" + strings.Repeat("x", 100): XForwarded,
		"xforwarded-for": Other,
		"forwarded-for":  Other,
		"x-request_id":   Other,
		"x":              Other,
		"":               Other,
		"user-agent":     Other,
		"connectiom":     Other,
		"hose":           Other,
	} {
		names[name] = id
	}
	for name, want := range names {
		for _, spelled := range []string{name, strings.ToUpper(name)} {
			if got := IDOf(spelled); got != want {
				t.Errorf("%q has id %d, want %d", spelled, got, want)
			}
			if got := IDOf([]byte(spelled)); got != want {
				t.Errorf("%q as bytes has id %d, want %d", spelled, got, want)
			}
		}
	}
}

func TestEveryKnownFieldIsVital(t *testing.T) {
	for _, byLength := range known {
		for _, k := range byLength {
			if !vital([]byte(strings.ToUpper(k.name))) {
				t.Errorf("%s is not", k.name)
			}
		}
	}
}

func TestFieldsOfOneHopAreNotForwarded(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fields []string
		want   string // the names that are forwarded
	}{
		{
			"whatever Connection says",
			[]string{
				"Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: x", "TE: trailers", "Upgrade: a",
				"Proxy-Authorization: x", "Proxy-Authenticate: x", "Proxy-Authentication-Info: x", "Transfer-Encoding: chunked",
			},
			"Host",
		},
		{"end to end", []string{"Trailer: a", "Expect: 100-continue", "Via: 1.1 a", "A: b", "Cookie: c"}, "Host Trailer Expect Via A Cookie"},
		{"nominated", []string{"A: b", "Connection: a, close", "B: c", "a: d"}, "Host B"},
		{"nominated with another", []string{"A: b", "Connection: x", "Connection: keep-alive,,A", "X: y", "HTTP2-Settings: z"}, "Host HTTP2-Settings"},
		{"part of a name", []string{"Connection: a", "AB: c"}, "Host AB"},
		{"host", []string{"Connection: Host"}, "Host"},
		{"framing", []string{"Connection: Content-Length", "Content-Length: 5"}, "Host Content-Length"},
		{"client", []string{"Connection: X-Forwarded-For, x-real-ip, X_Forwarded_For, forwarded", "X-Forwarded-For: a", "X-Real-IP: b", "X_Forwarded_For: c", "Forwarded: d"}, "Host X-Forwarded-For X-Real-IP X_Forwarded_For Forwarded"},
		{"tracing", []string{"Connection: X-Request-Id, traceparent", "X-Request-Id: a", "Traceparent: b"}, "Host X-Request-Id Traceparent"},
		{"credentials", []string{"Connection: Cookie, Authorization", "Cookie: a", "Authorization: b"}, "Host Cookie Authorization"},
		{"conditions", []string{"Connection: If-Match, Range", "If-Match: a", "Range: b"}, "Host If-Match Range"},
		{"caching and origin", []string{"Connection: Cache-Control, Origin, Sec-Fetch-Site, Access-Control-Request-Method", "Cache-Control: a", "Origin: b", "Sec-Fetch-Site: c", "Access-Control-Request-Method: d"}, "Host Cache-Control Origin Sec-Fetch-Site Access-Control-Request-Method"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r Request
			if err := r.Parse([]byte(head(append([]string{"POST / HTTP/1.1", "Host: a"}, tc.fields...)...)), Limits{}); err != nil {
				t.Fatal(err)
			}
			if got := forwarded(r.Fields); got != tc.want {
				t.Errorf("forwarded are %q, want %q", got, tc.want)
			}
		})
	}
}
