// Package proxy runs the balancers that are compared, each as a good operator
// would: keep-alive to the backend, X-Forwarded-For set, no access log unless it
// is asked for. All stand in front of the same backend.
package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/procfs"
)

const (
	readyTimeout = 20 * time.Second
	// maxConnections is what proxies that reserve room for connections are told to
	// expect of clients.
	maxConnections = 12_000
)

// Front is what a proxy offers on one port.
type Front string

// The fronts. A proxy that can't offer one has none.
const (
	HTTP   Front = "http"   // HTTP/1.1
	TLS    Front = "tls"    // HTTP/1.1 and HTTP/2 over TLS
	TCP    Front = "tcp"    // connections passed on as they are
	Logged Front = "logged" // HTTP/1.1 with a record of every request
	// Told is HTTP/1.1 where the member is told as much of the request as auditlb always
	// tells: X-Forwarded-Proto and -Host, Forwarded, Via and a request id, which the
	// client is told too.
	Told Front = "told"
)

// Proxy is a running balancer.
type Proxy struct {
	Name, Version string

	group  procfs.Group
	ports  map[Front]int
	reload func(context.Context) error
	stop   func()
	ended  <-chan struct{}
	log    func() string
	// scrape reads the metrics once; nil where there are none.
	scrape func(context.Context) error
}

// Starter runs a balancer whose files are in a directory. It does not wait until
// it answers.
type Starter func(ctx context.Context, s *Site, dir string) (*Proxy, error)

// instances numbers directories.
var instances atomic.Int64

// Start runs a balancer and returns when all of its fronts answer as they should.
func (s *Site) Start(ctx context.Context, run Starter) (*Proxy, error) {
	dir := filepath.Join(s.Dir, fmt.Sprintf("proxy-%d", instances.Add(1)))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var p *Proxy
	err := onCPU(s.CPU, func() (err error) {
		p, err = run(ctx, s, dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.ready(ctx, p); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s did not become ready: %w\n%s", p.Name, err, p.log())
	}
	return p, nil
}

// ready waits for each front's first answers and checks them: the large body is
// whole, and the backend was told the client's address. It uses new connections,
// so that none stays.
func (s *Site) ready(ctx context.Context, p *Proxy) error {
	trust, err := s.Trust()
	if err != nil {
		return err
	}
	client := &http.Client{
		Timeout:   readyTimeout,
		Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true},
	}
	for front := range p.ports {
		url := p.URL(front)
		err := poll(ctx, readyTimeout, p.ended, func() error {
			if _, err := fetch(client, url+LargePath, LargeBytes); err != nil {
				return err
			}
			body, err := fetch(client, url+forwardedPath, -1)
			if err == nil && front != TCP && !strings.Contains(body, "127.0.0.1") {
				err = fmt.Errorf("the backend got X-Forwarded-For %q", body)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	return nil
}

// URL is the address of the small response on a front, without a path; "" if
// there is no such front.
func (p *Proxy) URL(front Front) string {
	port, ok := p.ports[front]
	if !ok {
		return ""
	}
	scheme := "http"
	if front == TLS {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
}

// Group is the proxy's processes.
func (p *Proxy) Group() procfs.Group { return p.group }

// Reload makes the proxy take a changed configuration, by its own means, and
// returns when it has.
func (p *Proxy) Reload(ctx context.Context) error {
	if err := p.reload(ctx); err != nil {
		return fmt.Errorf("%s: reload: %w", p.Name, err)
	}
	return nil
}

// CanReload tells whether it has a way to reload.
func (p *Proxy) CanReload() bool { return p.reload != nil }

// Scrape reads the proxy's metrics once.
func (p *Proxy) Scrape(ctx context.Context) error { return p.scrape(ctx) }

// Stop ends the proxy. It may be called twice.
func (p *Proxy) Stop() { p.stop() }

// Alive fails, with the end of its log, if the proxy has ended.
func (p *Proxy) Alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s has ended:\n%s", p.Name, p.log())
	default:
		return nil
	}
}

// of returns a proxy that is a process with its workers.
func of(name string, p *process, ports map[Front]int) *Proxy {
	return &Proxy{Name: name, group: p.group(), ports: ports, stop: p.stop, ended: p.ended, log: p.log}
}

// portsFor returns a free port for each front, and more.
func portsFor(more int, fronts ...Front) (map[Front]int, []int, error) {
	free, err := freePorts(len(fronts) + more)
	if err != nil {
		return nil, nil, err
	}
	ports := map[Front]int{}
	for i, front := range fronts {
		ports[front] = free[i]
	}
	return ports, free[len(fronts):], nil
}

// fetch gets a URL, whose body must have a size unless that is negative.
func fetch(client *http.Client, url string, size int) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 2*LargeBytes))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, response.Status)
	}
	if size >= 0 && len(body) != size {
		return "", fmt.Errorf("%s: %d bytes, want %d", url, len(body), size)
	}
	return string(body), nil
}
