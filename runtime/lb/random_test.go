package lb

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// newRandom returns a source whose seed is in the test's output.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func some[T any](r *rand.Rand, atMost int, make func() T) []T {
	out := []T{}
	for range r.IntN(atMost + 1) {
		out = append(out, make())
	}
	return out
}

func randomName(r *rand.Rand) string {
	return fmt.Sprintf("%s%d", pick(r, "web", "a.b", "shop-1", "x_y"), r.IntN(50))
}

// randomText has what JSON and patches have to escape.
func randomText(r *rand.Rand) string {
	return strings.Join(some(r, 4, func() string { return pick(r, "ä", `"`, `\`, "/", "~", "<&>", "日本", "a b", "\u2028", "😀") }), "")
}

func randomMeta(r *rand.Rand) Meta {
	m := Meta{Owner: "o" + randomText(r), Labels: map[string]string{}}
	for range r.IntN(4) {
		m.Labels[pick(r, "team", "a/b", "x.y", "tier")] = randomText(r)
	}
	return m
}

func randomDuration(r *rand.Rand) Duration {
	return Duration(r.Int64N(int64(100*time.Hour))) / pick(r, Duration(1), 1000, Duration(time.Second)) * pick(r, Duration(1), 1000)
}

// randomObject returns a normalized object. It need not be valid.
func randomObject(r *rand.Rand, kind Kind, chains []string) Object {
	var obj Object
	switch kind {
	case KindPool:
		obj = randomPool(r)
	case KindListener:
		obj = randomListener(r)
	case KindRoute:
		obj = randomRoute(r)
	case KindCertificate:
		obj = &Certificate{Meta: randomMeta(r), ChainPEM: pick(r, append(chains, "", "nonsense")...), PrivateKeyVersion: r.IntN(100)}
	case KindFreeze:
		obj = &Freeze{
			Meta: randomMeta(r), Reason: randomText(r), Addresses: some(r, 3, func() string { return pick(r, "*", "pool/*", "pool") }),
			Begin: time.Unix(r.Int64N(1<<33), 0), End: time.Unix(r.Int64N(1<<33), 0),
			Recurrence: pick(r, "", "freq=daily", "RRULE:FREQ=WEEKLY;BYDAY=FR", "nonsense"), TimeZone: pick(r, "UTC", "Europe/Berlin", "Mars"),
		}
	case KindPolicy:
		p := &Policy{Meta: randomMeta(r), AuthorityGrace: randomDuration(r), Rules: map[string]PolicyRule{}}
		for range r.IntN(4) {
			p.Rules[pick(r, "a", "b/c", "ä")] = PolicyRule{randomText(r), randomText(r), randomText(r), randomBool(r)}
		}
		obj = p
	}
	obj.Normalize()
	return obj
}

func randomBool(r *rand.Rand) bool { return r.IntN(2) == 0 }

// maybe is nil every other time.
func maybe[T any](r *rand.Rand, v T) *T {
	if randomBool(r) {
		return nil
	}
	return &v
}

func randomNetworks(r *rand.Rand) []string {
	return some(r, 3, func() string { return pick(r, "10.1.2.3/8", "::ffff:192.0.2.7/120", "2001:DB8::1/32", "nonsense") })
}

func randomListener(r *rand.Rand) *Listener {
	return &Listener{
		Meta: randomMeta(r), Address: pick(r, "0.0.0.0", "::", "127.0.0.1", "::ffff:10.0.0.1", "nonsense"), Port: r.IntN(70_000),
		Protocol: pick(r, ListenerProtocols...), Certificates: some(r, 4, func() string { return randomName(r) }),
		DefaultCertificate: randomName(r), DefaultPool: pick(r, "", randomName(r)),
		TLS: ListenerTLS{
			MinVersion: pick(r, TLSVersions...), ALPN: some(r, 3, func() string { return pick(r, ALPNProtocols...) }),
			ClientCAPEM: randomText(r), ClientAuth: pick(r, ClientAuths...),
		},
		Timeouts: ListenerTimeouts{randomDuration(r), randomDuration(r), randomDuration(r)},
		Limits: ListenerLimits{
			r.IntN(1 << 21), r.IntN(1 << 42), r.IntN(1 << 21), r.IntN(1 << 21), r.IntN(1 << 21), r.IntN(1 << 21), r.IntN(1 << 21),
		},
		HTTP2:         ListenerHTTP2{randomBool(r), r.IntN(1000)},
		ProxyProtocol: randomBool(r), TrustedProxies: randomNetworks(r), AllowedCIDRs: randomNetworks(r),
		AccessRecords: pick(r, AccessRecordings...),
	}
}

func randomRoute(r *rand.Rand) *Route {
	route := &Route{
		Meta: randomMeta(r), Listener: randomName(r), Priority: r.IntN(20_000) - 10_000,
		Match: RouteMatch{
			Hosts:     some(r, 4, func() string { return pick(r, "A.example.com", "*.Example.com", "b") }),
			PathExact: randomText(r), PathPrefix: randomText(r), PathRegex: randomText(r), Methods: some(r, 3, func() string { return pick(r, "GET", "PUT") }),
			Headers: randomMatches(r), Query: randomMatches(r),
		},
		Action: RouteAction{
			Forward:       map[string]ForwardTarget{},
			Redirect:      maybe(r, Redirect{r.IntN(600), randomText(r), pick(r, "", "App.Example"), r.IntN(9), randomText(r), randomText(r), randomBool(r)}),
			FixedResponse: maybe(r, FixedResponse{r.IntN(600), randomText(r), randomText(r)}),
			Rewrite:       maybe(r, Rewrite{pick(r, "", "App.Example:80"), randomText(r), randomText(r)}),
			Mirror:        maybe(r, Mirror{randomName(r), r.IntN(100)}),
		},
		RequestHeaders: randomHeaderChanges(r), ResponseHeaders: randomHeaderChanges(r),
		Timeouts: RouteTimeouts{randomDuration(r), randomDuration(r)},
	}
	for range r.IntN(3) {
		route.Action.Forward[randomName(r)] = ForwardTarget{r.IntN(100)}
	}
	return route
}

func randomMatches(r *rand.Rand) map[string]ValueMatch {
	out := map[string]ValueMatch{}
	for range r.IntN(3) {
		out[pick(r, "x-a", "a/b", "ä")] = ValueMatch{pick(r, MatchTypes...), randomText(r)}
	}
	return out
}

func randomHeaderChanges(r *rand.Rand) HeaderChanges {
	fields := func() map[string]string {
		out := map[string]string{}
		for range r.IntN(3) {
			out[pick(r, "x-a", "x-b", "~")] = randomText(r)
		}
		return out
	}
	return HeaderChanges{fields(), fields(), some(r, 3, func() string { return pick(r, "X-A", "x-a", "server") })}
}

func randomPool(r *rand.Rand) *Pool {
	p := &Pool{
		Meta: randomMeta(r), Protocol: pick(r, PoolProtocols...), HTTPVersion: pick(r, HTTPVersions...), Algorithm: pick(r, Algorithms...),
		HashKey: maybe(r, HashKey{pick(r, HashSources...), pick(r, "", "X-Key")}), SlowStart: randomDuration(r), Members: map[string]Member{},
		OutlierDetection: maybe(r, OutlierDetection{r.IntN(9), randomDuration(r), r.IntN(100)}),
		Retries:          Retries{r.IntN(9), some(r, 3, func() RetryCause { return pick(r, RetryCauses...) }), randomDuration(r), r.IntN(100)},
		Timeouts:         PoolTimeouts{randomDuration(r), randomDuration(r), randomDuration(r)},
		Limits:           PoolLimits{r.IntN(1 << 20), r.IntN(1 << 20)},
		UpstreamTLS:      maybe(r, UpstreamTLS{randomText(r), pick(r, "", "App.Example"), pick(r, "", randomName(r)), pick(r, TLSVersions...), randomBool(r)}),
		Affinity:         maybe(r, Affinity{pick(r, AffinityTypes...), pick(r, "", "X-User"), randomDuration(r)}),
		ProxyProtocol:    pick(r, ProxyProtocols...),
	}
	for range r.IntN(5) {
		p.Members[pick(r, "a", "b", "c/d", "e~f", "ä")] = Member{randomText(r), r.IntN(300), randomBool(r), pick(r, MemberStates...)}
	}
	p.HealthCheck = maybe(r, HealthCheck{
		Type: pick(r, HealthCheckTypes...), Interval: randomDuration(r), Timeout: randomDuration(r),
		HealthyThreshold: r.IntN(10), UnhealthyThreshold: r.IntN(10), Path: randomText(r), Host: pick(r, "", "App.Example"), Service: randomText(r),
		ExpectedStatuses: append(some(r, 3, func() string { return pick(r, "200", "200-299", "204") }), "404"),
	})
	return p
}
