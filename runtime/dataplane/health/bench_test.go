package health

import (
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// BenchmarkProbe includes the work of the member, which is in the same process.
func BenchmarkProbe(b *testing.B) {
	certificate, client := identity(b)
	plain, secure := httpMember(b, nil), httpMember(b, certificate)
	of := func(kind lb.HealthCheckType) *lb.HealthCheck {
		return patient(kind, func(c *lb.HealthCheck) { c.ExpectedStatuses = []string{"404"} })
	}
	for _, tc := range []struct {
		name   string
		target Target
	}{
		{"tcp", Target{Address: plain, Check: of(lb.HealthTCP)}},
		{"http1", Target{Address: plain, Check: of(lb.HealthHTTP)}},
		{"http1-tls", Target{Address: secure, Check: of(lb.HealthHTTP), TLS: client}},
		{"http2", Target{Address: plain, Check: of(lb.HealthHTTP), HTTPVersion: lb.HTTP2}},
		{"http2-tls", Target{Address: secure, Check: of(lb.HealthHTTP), HTTPVersion: lb.HTTP2, TLS: client}},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := once(b, tc.target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWatch shows as bytes per operation what a watched member takes.
func BenchmarkWatch(b *testing.B) {
	c := lb.NewHealthCheck()
	c.Type, c.Interval = lb.HealthTCP, lb.MaxHealthInterval
	checker := NewChecker(1)
	var watches []*Watch
	b.ReportAllocs()
	for b.Loop() {
		watches = append(watches, checker.Watch(Target{Address: "127.0.0.1:1", Check: &c}, true, ignore))
	}
	b.StopTimer()
	for _, w := range watches {
		w.Stop()
	}
}
