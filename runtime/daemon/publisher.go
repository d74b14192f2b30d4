package daemon

import (
	"context"
	"crypto/tls"
	"log/slog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// publisher hands configurations to the data plane. It implements
// control.Publisher. Only the controller's goroutine publishes.
type publisher struct {
	engine *dataplane.Engine
	logger *slog.Logger
	// key reads a private key by fingerprint.
	key func(ctx context.Context, fingerprint string) (string, error)
	// pairs keeps the key pairs in use by chain, so that a change elsewhere
	// doesn't open keys again.
	pairs map[string]*tls.Certificate
}

// Reserve implements control.Publisher.
func (p *publisher) Reserve(name string, l *lb.Listener) (func(), error) {
	return p.engine.Reserve(name, l)
}

// Publish implements control.Publisher.
func (p *publisher) Publish(c *control.Config) {
	s := &dataplane.Snapshot{
		Revision:     c.Revision(),
		Pools:        typed[*lb.Pool](c, lb.KindPool),
		Listeners:    typed[*lb.Listener](c, lb.KindListener),
		Routes:       typed[*lb.Route](c, lb.KindRoute),
		Certificates: map[string]*tls.Certificate{},
	}
	pairs := map[string]*tls.Certificate{}
	for name, cert := range typed[*lb.Certificate](c, lb.KindCertificate) {
		pair, err := p.pair(cert)
		if err != nil {
			// The listener serves its other certificates; changes are not
			// stopped by one key that can't be opened.
			p.logger.Error("certificate can't be served", "certificate", name, "fingerprint", cert.Fingerprint, "error", err)
			continue
		}
		s.Certificates[name], pairs[cert.ChainPEM] = pair, pair
	}
	p.pairs = pairs
	p.engine.Apply(s)
}

func (p *publisher) pair(cert *lb.Certificate) (*tls.Certificate, error) {
	if pair, ok := p.pairs[cert.ChainPEM]; ok {
		return pair, nil
	}
	key, err := p.key(context.Background(), cert.Fingerprint)
	if err != nil {
		return nil, err
	}
	return lb.KeyPair(cert.ChainPEM, key)
}

func typed[T lb.Object](c *control.Config, kind lb.Kind) map[string]T {
	out := map[string]T{}
	for name, object := range c.All(kind) {
		if obj, ok := object.(T); ok {
			out[name] = obj
		}
	}
	return out
}

// nowhere is the publisher of a log that is open without a data plane.
type nowhere struct{}

// Reserve implements control.Publisher.
func (nowhere) Reserve(string, *lb.Listener) (func(), error) { return func() {}, nil }

// Publish implements control.Publisher.
func (nowhere) Publish(*control.Config) {}
