package lb

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// violationTest changes a valid object and expects exactly one violation, or
// none when pointer is "".
type violationTest[T any] struct {
	name    string
	change  func(T)
	pointer string
	says    string
}

// valid marks a change that leaves the object valid.
const valid = ""

func runViolationTests[T Object](t *testing.T, makeValid func() T, tests []violationTest[T]) {
	t.Helper()
	if vs := makeValid().Validate(); len(vs) != 0 {
		t.Fatalf("the object to begin with is not valid: %v", vs)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obj := makeValid()
			tt.change(obj)
			obj.Normalize()
			vs := obj.Validate()
			if tt.pointer == valid {
				if len(vs) != 0 {
					t.Fatalf("refused: %v", vs)
				}
				return
			}
			if len(vs) != 1 || vs[0].Pointer != tt.pointer || !strings.Contains(vs[0].Detail, tt.says) {
				t.Errorf("violations are %q, want one at %s: … %s …", vs, tt.pointer, tt.says)
			}
		})
	}
}

func validPool() *Pool {
	p, h := NewPool(), NewHealthCheck()
	p.Owner, p.HealthCheck = "team-web", &h
	m := NewMember()
	m.Address = "10.0.0.1:80"
	p.Members = map[string]Member{"a": m}
	return p
}

func member(address string) func(*Pool) {
	return changeMember(func(m *Member) { m.Address = address })
}

func changeMember(change func(*Member)) func(*Pool) {
	return func(p *Pool) {
		m := p.Members["a"]
		change(&m)
		p.Members["a"] = m
	}
}

func TestPoolBounds(t *testing.T) {
	second := Duration(time.Second)
	const at, address = "/members/a", "/members/a/address"
	runViolationTests(t, validPool, []violationTest[*Pool]{
		{"no members", func(p *Pool) { p.Members = nil }, valid, ""},
		{"no health check", func(p *Pool) { p.HealthCheck = nil }, valid, ""},
		{"protocol", func(p *Pool) { p.Protocol = "udp" }, "/protocol", `"udp" must be one of http and tcp`},
		{"no protocol", func(p *Pool) { p.Protocol = "" }, "/protocol", `"" must be one of`},
		{"algorithm", func(p *Pool) { p.Algorithm = "best" }, "/algorithm", "round_robin, least_requests, random_two, ring_hash and maglev"},
		{"member key", func(p *Pool) { p.Members = map[string]Member{"A": p.Members["a"]} }, "/members/A", "key must be 1 to 63"},
		{"member key that can't be repeated", func(p *Pool) { p.Members = map[string]Member{strings.Repeat("k", 64): p.Members["a"]} }, "/members", "key must be"},
		{"too many members", func(p *Pool) {
			for i := range MaxMembers {
				p.Members[fmt.Sprintf("m%d", i)] = p.Members["a"]
			}
		}, "/members", "10001 members; at most 10000"},
		{"address without a port", member("10.0.0.1"), address, "must be host:port"},
		{"no address", member(""), address, "must be host:port"},
		{"address without a host", member(":80"), address, "IP address or a DNS name"},
		{"address with a bare IPv6", member("::1:80"), address, "must be host:port"},
		{"address with IPv6", member("[::1]:80"), valid, ""},
		{"address with a name", member("app.internal:8080"), valid, ""},
		{"address with an underscore", member("_http._tcp.app:80"), valid, ""},
		{"port 0", member("a:0"), address, "between 1 and 65535"},
		{"port 1", member("a:1"), valid, ""},
		{"port 65535", member("a:65535"), valid, ""},
		{"port 65536", member("a:65536"), address, "between 1 and 65535"},
		{"port with a sign", member("a:+80"), address, "between 1 and 65535"},
		{"port with a zero before", member("a:080"), address, "between 1 and 65535"},
		{"port by name", member("a:http"), address, "between 1 and 65535"},
		{"host with a space", member("a b:80"), address, "DNS name"},
		{"host that begins with a hyphen", member("-a:80"), address, "DNS name"},
		{"host of 254 bytes", member(strings.Repeat("a.", 126) + "bc:80"), address, "a value of 254 bytes"},
		{"host of 253 bytes", member(strings.Repeat("a.", 126) + "b:80"), valid, ""},
		{"weight 0", changeMember(func(m *Member) { m.Weight = 0 }), at + "/weight", "0 must be between 1 and 256"},
		{"weight 256", changeMember(func(m *Member) { m.Weight = 256 }), valid, ""},
		{"weight 257", changeMember(func(m *Member) { m.Weight = 257 }), at + "/weight", "257 must be"},
		{"state", changeMember(func(m *Member) { m.State = "off" }), at + "/state", "active, drain and disabled"},
		{"connect below", func(p *Pool) { p.Timeouts.Connect = MinTimeout - 1 }, "/timeouts/connect", "9.999999ms must be between 10ms and 24h"},
		{"connect at the least", func(p *Pool) { p.Timeouts.Connect = MinTimeout }, valid, ""},
		{"response above", func(p *Pool) { p.Timeouts.Response = MaxTimeout + 1 }, "/timeouts/response", "must be between"},
		{"idle at the most", func(p *Pool) { p.Timeouts.Idle = MaxTimeout }, valid, ""},
		{"idle negative", func(p *Pool) { p.Timeouts.Idle = -second }, "/timeouts/idle", "-1s must be"},
	})
}

func TestHealthCheckBounds(t *testing.T) {
	h := func(change func(*HealthCheck)) func(*Pool) { return func(p *Pool) { change(p.HealthCheck) } }
	const at = "/health_check/"
	runViolationTests(t, validPool, []violationTest[*Pool]{
		{"type", h(func(h *HealthCheck) { h.Type = "icmp" }), at + "type", "http, tcp and grpc"},
		{"interval below", h(func(h *HealthCheck) { h.Interval, h.Timeout = MinHealthInterval-1, MinHealthTimeout }), at + "interval", "between 100ms and 1h"},
		{"interval at the least", h(func(h *HealthCheck) { h.Interval, h.Timeout = MinHealthInterval, MinHealthInterval }), valid, ""},
		{"interval above", h(func(h *HealthCheck) { h.Interval = MaxHealthInterval + 1 }), at + "interval", "between 100ms and 1h"},
		{"timeout longer than the interval", h(func(h *HealthCheck) { h.Timeout = h.Interval + 1 }), at + "timeout", "between 10ms and 10s"},
		{"timeout below", h(func(h *HealthCheck) { h.Timeout = MinHealthTimeout - 1 }), at + "timeout", "between 10ms"},
		{"healthy threshold 0", h(func(h *HealthCheck) { h.HealthyThreshold = 0 }), at + "healthy_threshold", "between 1 and 100"},
		{"unhealthy threshold 101", h(func(h *HealthCheck) { h.UnhealthyThreshold = 101 }), at + "unhealthy_threshold", "between 1 and 100"},
		{"thresholds at the most", h(func(h *HealthCheck) { h.HealthyThreshold, h.UnhealthyThreshold = 100, 100 }), valid, ""},
		{"path without a slash", h(func(h *HealthCheck) { h.Path = "up" }), at + "path", "must begin with /"},
		{"path with a space", h(func(h *HealthCheck) { h.Path = "/a b" }), at + "path", "percent-encode"},
		{"path that smuggles a header", h(func(h *HealthCheck) { h.Path = "/ HTTP/1.1\r\nX: y" }), at + "path", "percent-encode"},
		{"path with a fragment", h(func(h *HealthCheck) { h.Path = "/#x" }), at + "path", "percent-encode"},
		{"path of 2049 bytes", h(func(h *HealthCheck) { h.Path = "/" + strings.Repeat("x", 2048) }), at + "path", "longer than 2048"},
		{"path with a query", h(func(h *HealthCheck) { h.Path = "/up?full=1" }), valid, ""},
		{"host", h(func(h *HealthCheck) { h.Host = "a\r\nX: y" }), at + "host", "a value of 7 bytes must be"},
		{"no statuses", h(func(h *HealthCheck) { h.ExpectedStatuses = nil }), at + "expected_statuses", "at least one"},
		{"status", h(func(h *HealthCheck) { h.ExpectedStatuses = []string{"200", "2xx"} }), at + "expected_statuses/1", `"2xx" must be`},
		{"status range upside down", h(func(h *HealthCheck) { h.ExpectedStatuses = []string{"300-200"} }), at + "expected_statuses/0", "ends before it begins"},
		{"status 600", h(func(h *HealthCheck) { h.ExpectedStatuses = []string{"600"} }), at + "expected_statuses/0", "must be a status"},
	})
}

func TestStatusRanges(t *testing.T) {
	r, err := ParseStatusRange("200-299")
	if err != nil || !r.Contains(200) || !r.Contains(299) || r.Contains(199) || r.Contains(300) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := ParseStatusRange("204"); err != nil || r != (StatusRange{204, 204}) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestMetaBounds(t *testing.T) {
	label := func(key, value string) func(*Pool) {
		return func(p *Pool) { p.Labels = map[string]string{key: value} }
	}
	runViolationTests(t, validPool, []violationTest[*Pool]{
		{"no owner", func(p *Pool) { p.Owner = "" }, "/owner", "is required"},
		{"owner of 128 bytes", func(p *Pool) { p.Owner = strings.Repeat("x", 128) }, valid, ""},
		{"owner of 129 bytes", func(p *Pool) { p.Owner = strings.Repeat("x", 129) }, "/owner", "129 bytes long; at most 128"},
		{"owner with a line break", func(p *Pool) { p.Owner = "a\nb" }, "/owner", "U+000A"},
		{"owner with an escape sequence", func(p *Pool) { p.Owner = "a\x1b[31m" }, "/owner", "U+001B"},
		{"owner written backwards", func(p *Pool) { p.Owner = "a\u202eb" }, "/owner", "U+202E"},
		{"label key with a slash", label("team/name", "x"), valid, ""},
		{"label key with a space", label("a b", "x"), "/labels/a b", "label keys are"},
		{"label key that is empty", label("", "x"), "/labels/", "label keys are"},
		{"label key that ends with a dot", label("a.", "x"), "/labels/a.", "label keys are"},
		{"label key of 64 bytes", label(strings.Repeat("k", 64), "x"), "/labels", "1 to 63"},
		{"label value that is empty", label("a", ""), valid, ""},
		{"label value of 257 bytes", label("a", strings.Repeat("x", 257)), "/labels/a", "at most 256"},
		{"label value with a tab", label("a", "x\ty"), "/labels/a", "U+0009"},
		{"label with a slash in its pointer", label("a/b", "x\ty"), "/labels/a~1b", "U+0009"},
		{"65 labels", func(p *Pool) {
			p.Labels = map[string]string{}
			for i := range 65 {
				p.Labels[fmt.Sprint(i)] = ""
			}
		}, "/labels", "65 labels; at most 64"},
	})
}

func TestViolationsAreBoundedAndDoNotRepeatLongValues(t *testing.T) {
	p := validPool()
	secret := strings.Repeat("Sx9", 500)
	for i := range 5000 {
		p.Members[fmt.Sprintf("m%d", i)] = Member{Address: secret, State: MemberState(secret)}
	}
	p.Members[secret] = Member{}
	p.Labels = map[string]string{secret: secret}
	p.Protocol, p.HealthCheck.Path, p.HealthCheck.Host = PoolProtocol(secret), secret, secret
	p.HealthCheck.ExpectedStatuses = []string{secret}
	vs := p.Validate()
	if len(vs) != MaxViolations {
		t.Errorf("%d violations, want %d", len(vs), MaxViolations)
	}
	if text := vs.Error(); strings.Contains(text, secret[:40]) || len(text) > 30_000 {
		t.Errorf("%d bytes of text: %.300s", len(text), text)
	}
}
