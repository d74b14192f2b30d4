package lb

import (
	"fmt"
	"strings"
	"testing"
)

func validListener() *Listener {
	l := NewListener()
	l.Owner, l.Port = "team-edge", 443
	l.Protocol, l.Certificates, l.DefaultPool = ListenerHTTPS, []string{"a", "b"}, "web"
	return l
}

func TestListenerBounds(t *testing.T) {
	address := func(a string) func(*Listener) { return func(l *Listener) { l.Address = a } }
	plain := func(l *Listener) { l.Protocol, l.Certificates = ListenerHTTP, nil }
	runViolationTests(t, validListener, []violationTest[*Listener]{
		{"no owner", func(l *Listener) { l.Owner = "" }, "/owner", "is required"},
		{"IPv6 address", address("::1"), valid, ""},
		{"no address", address(""), "/address", "must be an IP address"},
		{"address by name", address("localhost"), "/address", "must be an IP address"},
		{"address with a port", address("127.0.0.1:80"), "/address", "must be an IP address"},
		{"address with a zone", address("fe80::1%eth0"), "/address", "must be an IP address"},
		{"port 0", func(l *Listener) { l.Port = 0 }, "/port", "0 must be between 1 and 65535"},
		{"port 65536", func(l *Listener) { l.Port = 65536 }, "/port", "between 1 and 65535"},
		{"ports at the ends", func(l *Listener) { l.Port = 65535 }, valid, ""},
		{"protocol", func(l *Listener) { l.Protocol, l.Certificates = "udp", nil }, "/protocol", "http, https, tcp and tls_passthrough"},
		{"https without a certificate", func(l *Listener) { l.Certificates = nil }, "/certificates", "at least one"},
		{"http with certificates", func(l *Listener) { l.Protocol = ListenerHTTP }, "/certificates", "only for protocol https"},
		{"http", plain, valid, ""},
		{"certificate's name", func(l *Listener) { l.Certificates = []string{"a", "A b"} }, "/certificates/0", "lower-case"},
		{"too many certificates", func(l *Listener) {
			for i := range MaxListenerCertificates {
				l.Certificates = append(l.Certificates, fmt.Sprintf("c%d", i))
			}
		}, "/certificates", "at most 1000"},
		{"default certificate", func(l *Listener) { l.DefaultCertificate = "b" }, valid, ""},
		{"default certificate that is not served", func(l *Listener) { l.DefaultCertificate = "c" }, "/default_certificate", `"c" must be one of`},
		{"default pool's name", func(l *Listener) { l.DefaultPool = "../web" }, "/default_pool", "lower-case"},
		{"no default pool", func(l *Listener) { l.DefaultPool = "" }, valid, ""},
		{"tcp without a pool", func(l *Listener) { l.Protocol, l.Certificates, l.DefaultPool = ListenerTCP, nil, "" }, "/default_pool", "is required when protocol is tcp"},
		{"TLS version", func(l *Listener) { l.TLS.MinVersion = "1.1" }, "/tls/min_version", "1.2 and 1.3"},
		{"header timeout below", func(l *Listener) { l.Timeouts.RequestHeader = MinTimeout - 1 }, "/timeouts/request_header", "between"},
		{"idle timeout above", func(l *Listener) { l.Timeouts.Idle = MaxTimeout + 1 }, "/timeouts/idle", "between"},
		{"header bytes below", func(l *Listener) { l.Limits.MaxHeaderBytes = MinMaxHeaderBytes - 1 }, "/limits/max_header_bytes", "between 1024 and 1048576"},
		{"header bytes above", func(l *Listener) { l.Limits.MaxHeaderBytes = MaxMaxHeaderBytes + 1 }, "/limits/max_header_bytes", "between"},
		{"no connections", func(l *Listener) { l.Limits.MaxConnections = 0 }, "/limits/max_connections", "between 1 and 1000000"},
		{"connections above", func(l *Listener) { l.Limits.MaxConnections = MaxMaxConnections + 1 }, "/limits/max_connections", "between"},
	})
}

func TestBindAddress(t *testing.T) {
	for address, want := range map[string]string{"0.0.0.0": "0.0.0.0:80", "::1": "[::1]:80"} {
		if got := (&Listener{Address: address, Port: 80}).BindAddress(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func validRoute() *Route {
	r := NewRoute()
	r.Owner, r.Listener = "team-web", "edge"
	r.Action.Forward = map[string]ForwardTarget{"web": {1}}
	return r
}

func TestRouteBounds(t *testing.T) {
	hosts := func(h ...string) func(*Route) { return func(r *Route) { r.Match.Hosts = h } }
	forward := func(f map[string]ForwardTarget) func(*Route) { return func(r *Route) { r.Action.Forward = f } }
	numbered := func(n int, format string) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf(format, i))
		}
		return out
	}
	runViolationTests(t, validRoute, []violationTest[*Route]{
		{"no owner", func(r *Route) { r.Owner = "" }, "/owner", "is required"},
		{"no listener", func(r *Route) { r.Listener = "" }, "/listener", "lower-case"},
		{"priority below", func(r *Route) { r.Priority = MinPriority - 1 }, "/priority", "between -10000 and 10000"},
		{"priority at the most", func(r *Route) { r.Priority = MaxPriority }, valid, ""},
		{"hosts", hosts("a.example.com", "*.example.com", "10.0.0.1", "::1"), valid, ""},
		{"host with a port", hosts("a:80"), "/match/hosts/0", "DNS name"},
		{"wildcard in the middle", hosts("a.example.com", "b.*.com"), "/match/hosts/1", "DNS name"},
		{"wildcard alone", hosts("*"), "/match/hosts/0", "DNS name"},
		{"101 hosts", hosts(numbered(101, "h%d")...), "/match/hosts", "101 hosts; at most 100"},
		{"exact path", func(r *Route) { r.Match.PathExact = "/a" }, valid, ""},
		{"exact path without a slash", func(r *Route) { r.Match.PathExact = "a" }, "/match/path_exact", "begin with /"},
		{"prefix with a space", func(r *Route) { r.Match.PathPrefix = "/a b" }, "/match/path_prefix", "percent-encode"},
		{"both paths", func(r *Route) { r.Match.PathExact, r.Match.PathPrefix = "/a", "/b" }, "/match/path_prefix", "choose one"},
		{"method in small letters", func(r *Route) { r.Match.Methods = []string{"GET", "get"} }, "/match/methods/1", `"get" must be`},
		{"17 methods", func(r *Route) { r.Match.Methods = strings.Fields("A B C D E F G H I J K L M N O P Q") }, "/match/methods", "at most 16"},
		{"no pool", forward(nil), "/action", "exactly one of forward"},
		{"pool's name", forward(map[string]ForwardTarget{"A": {1}}), "/action/forward/A", "lower-case"},
		{"negative weight", forward(map[string]ForwardTarget{"a": {-1}, "b": {2}}), "/action/forward/a/weight", "between 0 and 10000"},
		{"weight above", forward(map[string]ForwardTarget{"a": {10_001}}), "/action/forward/a/weight", "between 0"},
		{"weight 0 beside another", forward(map[string]ForwardTarget{"a": {0}, "b": {1}}), valid, ""},
		{"weights all 0", forward(map[string]ForwardTarget{"a": {0}, "b": {0}}), "/action/forward", "a weight above 0"},
		{"65 pools", func(r *Route) {
			for _, name := range numbered(64, "p%d") {
				r.Action.Forward[name] = ForwardTarget{1}
			}
		}, "/action/forward", "65 pools; at most 64"},
	})
}

func TestCertificateBounds(t *testing.T) {
	chain := newIssued(t, "a.example.com").chain
	makeValid := func() *Certificate { return &Certificate{Meta: Meta{Owner: "team-tls"}, ChainPEM: chain} }
	runViolationTests(t, makeValid, []violationTest[*Certificate]{
		{"no owner", func(c *Certificate) { c.Owner = "" }, "/owner", "is required"},
		{"no chain", func(c *Certificate) { c.ChainPEM = "" }, "/chain_pem", "is required"},
		{"chain", func(c *Certificate) { c.ChainPEM = "x" }, "/chain_pem", "is not a certificate in PEM"},
		{"version below", func(c *Certificate) { c.PrivateKeyVersion = -1 }, "/private_key_version", "between 0 and"},
		{"version above", func(c *Certificate) { c.PrivateKeyVersion = MaxPrivateKeyVersion + 1 }, "/private_key_version", "between 0 and"},
		{"version at the most", func(c *Certificate) { c.PrivateKeyVersion = MaxPrivateKeyVersion }, valid, ""},
	})
}

func TestNamesAndAddresses(t *testing.T) {
	for name, ok := range map[string]bool{
		"web": true, "a": true, "a.b-c_d": true, "0": true, strings.Repeat("a", 63): true,
		"": false, "A": false, "-a": false, "a-": false, "a/b": false, "..": false, "a b": false, "ä": false, "a\n": false, strings.Repeat("a", 64): false,
	} {
		if got := CheckName(name) == ""; got != ok {
			t.Errorf("CheckName(%q) accepts = %t, want %t", name, got, ok)
		}
	}
	for text, ok := range map[string]bool{
		"pool/web": true, "certificate/a.b": true,
		"web": false, "": false, "/": false, "pool/": false, "pools/web": false, "pool/a/b": false, "ticket/CHG-1": false,
	} {
		a, err := ParseAddress(text)
		if (err == nil) != ok || (ok && a.String() != text) {
			t.Errorf("ParseAddress(%q) = %v, %v", text, a, err)
		}
	}
}
