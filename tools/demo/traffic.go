package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	requests       = 80
	requestTimeout = 5 * time.Second
	readyTimeout   = 15 * time.Second
	// tolerance is how far a share may lie from what the weights say.
	tolerance = 0.1
)

// shares counts the answers of each backend.
type shares map[string]int

func (s shares) total() int {
	total := 0
	for _, n := range s {
		total += n
	}
	return total
}

// of is a backend's part of all answers, 0 to 1.
func (s shares) of(name string) float64 { return float64(s[name]) / float64(max(1, s.total())) }

// String has the form of `sort | uniq -c`.
func (s shares) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%7d %s\n", s[name], name)
	}
	return b.String()
}

// traffic sends requests to the balancer's listeners.
type traffic struct {
	out               transcript
	host              string
	httpPort, tlsPort int
	caFile            string
	client            *http.Client
}

// newTraffic returns traffic for the host, whose name is always resolved to
// the loopback address, as curl's --resolve does.
func newTraffic(out transcript, host string, httpPort, tlsPort int, authority, caFile string) (*traffic, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(authority)) {
		return nil, errors.New("the demo's authority is not PEM")
	}
	dialer := &net.Dialer{Timeout: requestTimeout}
	return &traffic{
		out: out, host: host, httpPort: httpPort, tlsPort: tlsPort, caFile: caFile,
		client: &http.Client{
			Timeout: requestTimeout,
			Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					_, port, err := net.SplitHostPort(addr)
					if err != nil {
						return nil, err
					}
					return dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
				},
			},
		},
	}, nil
}

// overHTTP shows which backends answer plain requests.
func (t *traffic) overHTTP(ctx context.Context) (shares, error) {
	url := fmt.Sprintf("http://%s:%d/", t.host, t.httpPort)
	return t.send(ctx, url, fmt.Sprintf("--resolve %s:%d:127.0.0.1 %s", t.host, t.httpPort, url))
}

// overTLS shows which backends answer requests over TLS; the certificate is
// verified against the demo's authority.
func (t *traffic) overTLS(ctx context.Context) (shares, error) {
	url := fmt.Sprintf("https://%s:%d/", t.host, t.tlsPort)
	return t.send(ctx, url, fmt.Sprintf("--cacert %s --resolve %s:%d:127.0.0.1 %s", t.caFile, t.host, t.tlsPort, url))
}

func (t *traffic) send(ctx context.Context, url, curl string) (shares, error) {
	t.out.typed(fmt.Sprintf("for i in $(seq %d); do curl -s %s; done | sort | uniq -c", requests, curl))
	if err := t.waitReady(ctx, url); err != nil {
		return nil, err
	}
	counted := shares{}
	for range requests {
		name, err := t.get(ctx, url)
		if err != nil {
			return nil, err
		}
		counted[name]++
	}
	fmt.Fprintln(t.out.out, counted)
	return counted, nil
}

// waitReady waits for the first answer: a listener's members may still be
// waiting for their first health check.
func (t *traffic) waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		_, err := t.get(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing answers: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (t *traffic) get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := t.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s: %s", url, response.Status, body)
	}
	return strings.TrimSpace(string(body)), nil
}

// expect fails when the backends' shares are not those of the weights.
func (s shares) expect(weights map[string]int) error {
	total := 0
	for _, weight := range weights {
		total += weight
	}
	for name, weight := range weights {
		want := float64(weight) / float64(total)
		if got := s.of(name); got < want-tolerance || got > want+tolerance {
			return fmt.Errorf("%s answered %.0f%% of the requests; its weight asks for %.0f%%", name, 100*got, 100*want)
		}
	}
	return nil
}
