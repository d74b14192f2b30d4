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
		obj = &Listener{
			Meta: randomMeta(r), Address: pick(r, "0.0.0.0", "::", "127.0.0.1", "::ffff:10.0.0.1", "nonsense"), Port: r.IntN(70_000),
			Protocol: pick(r, ListenerProtocols...), Certificates: some(r, 4, func() string { return randomName(r) }),
			DefaultCertificate: randomName(r), DefaultPool: pick(r, "", randomName(r)),
			TLS:      ListenerTLS{pick(r, TLSVersions...)},
			Timeouts: ListenerTimeouts{randomDuration(r), randomDuration(r)},
			Limits:   ListenerLimits{r.IntN(1 << 21), r.IntN(1 << 21)},
		}
	case KindRoute:
		route := &Route{
			Meta: randomMeta(r), Listener: randomName(r), Priority: r.IntN(20_000) - 10_000,
			Match: RouteMatch{
				Hosts:     some(r, 4, func() string { return pick(r, "A.example.com", "*.Example.com", "b") }),
				PathExact: randomText(r), PathPrefix: randomText(r), Methods: some(r, 3, func() string { return pick(r, "GET", "PUT") }),
			},
			Action: RouteAction{Forward: map[string]ForwardTarget{}},
		}
		for range r.IntN(3) {
			route.Action.Forward[randomName(r)] = ForwardTarget{r.IntN(100)}
		}
		obj = route
	case KindCertificate:
		obj = &Certificate{Meta: randomMeta(r), ChainPEM: pick(r, append(chains, "", "nonsense")...), PrivateKeyVersion: r.IntN(100)}
	}
	obj.Normalize()
	return obj
}

func randomPool(r *rand.Rand) *Pool {
	p := &Pool{
		Meta: randomMeta(r), Protocol: pick(r, PoolProtocols...), Algorithm: pick(r, Algorithms...), Members: map[string]Member{},
		Timeouts: PoolTimeouts{randomDuration(r), randomDuration(r), randomDuration(r)},
	}
	for range r.IntN(5) {
		p.Members[pick(r, "a", "b", "c/d", "e~f", "ä")] = Member{randomText(r), r.IntN(300), r.IntN(2) == 0, pick(r, MemberStates...)}
	}
	if r.IntN(2) == 0 {
		p.HealthCheck = &HealthCheck{
			Type: pick(r, HealthCheckTypes...), Interval: randomDuration(r), Timeout: randomDuration(r),
			HealthyThreshold: r.IntN(10), UnhealthyThreshold: r.IntN(10), Path: randomText(r), Host: pick(r, "", "App.Example"),
			ExpectedStatuses: append(some(r, 3, func() string { return pick(r, "200", "200-299", "204") }), "404"),
		}
	}
	return p
}
