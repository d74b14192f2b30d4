package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// maxResponseHeaderBytes bounds what a probe reads from a member.
const maxResponseHeaderBytes = 64 << 10

const userAgent = "auditlb-health/1"

var errTimeout = errors.New("timed out")

// prober makes single probes, each over a connection of its own: a member that
// no longer accepts connections must not pass by a connection it already has.
type prober struct {
	dialer    net.Dialer
	transport *http.Transport
}

func newProber() *prober {
	p := &prober{}
	p.transport = &http.Transport{
		DialContext:            p.dialer.DialContext,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponseHeaderBytes,
	}
	return p
}

// probe returns why the member did not pass, or nil.
func (p *prober) probe(ctx context.Context, w *Watch) error {
	var err error
	if w.config.Type == lb.HealthTCP {
		err = p.connect(ctx, w.address)
	} else {
		err = p.request(ctx, w)
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w after %s", errTimeout, w.config.Timeout)
	}
	return err
}

func (p *prober) connect(ctx context.Context, address string) error {
	conn, err := p.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// request asks for the path and looks at the status only. Redirects are not
// followed: where they lead says nothing about the member.
func (p *prober) request(ctx context.Context, w *Watch) error {
	host := w.config.Host
	if host == "" {
		host = w.address
	}
	req := (&http.Request{
		Method: http.MethodGet,
		// Opaque sends the path byte for byte as it was configured.
		URL:    &url.URL{Scheme: "http", Host: w.address, Opaque: w.config.Path},
		Host:   host,
		Header: http.Header{"User-Agent": {userAgent}},
	}).WithContext(ctx)
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	for _, r := range w.statuses {
		if r.Contains(resp.StatusCode) {
			return nil
		}
	}
	return fmt.Errorf("answered status %d", resp.StatusCode)
}
