package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/procfs"
	"github.com/auditlb/terraform-provider-auditlb/tools/internal/devruntime"
)

const (
	// probed is how many members are probed when health checks are on.
	probed = 100
	// idleTimeout is longer than any part of the benchmark.
	idleTimeout = "15m"
)

// Auditlb is a variant of auditlb's configuration.
type Auditlb struct {
	// HealthChecks probes the pool's member once a second, and the members of a pool
	// without traffic: probed of them.
	HealthChecks bool
	// AccessRecords is the listeners' access_records; Logged's is always "all".
	AccessRecords string
	// Program is another build than the site's, if set.
	Program string
}

// Start runs `auditlb dev` and configures it over its management API, so that
// every change is on record as in production.
func (a Auditlb) Start(ctx context.Context, s *Site, dir string) (*Proxy, error) {
	program := a.Program
	if program == "" {
		program = filepath.Join(s.Bin, "auditlb")
	}
	version, err := command(ctx, program, "--version")
	if err != nil {
		return nil, err
	}
	ports, _, err := portsFor(0, HTTP, TLS, TCP, Logged, Told)
	if err != nil {
		return nil, err
	}
	r, err := devruntime.Start(ctx, program, dir)
	if err != nil {
		return nil, err
	}
	c := &management{runtime: r, site: s, there: map[string]bool{}}
	if err := c.configure(ctx, a, ports); err != nil {
		r.Stop()
		return nil, fmt.Errorf("configure auditlb: %w", err)
	}
	return &Proxy{
		Name: "auditlb", Version: strings.TrimSpace(version), group: procfs.Group(r.PID()), ports: ports,
		reload: c.changeWeight, stop: r.Stop, ended: r.Ended(), log: r.Log, scrape: c.scrape,
	}, nil
}

// object is an object of auditlb's configuration, as its management API takes it.
type object map[string]any

// management configures a runtime.
type management struct {
	runtime *devruntime.Runtime
	site    *Site
	weight  int             // of the member, as it was put last
	checks  bool            // whether the member is probed
	there   map[string]bool // the objects that were put, by path
}

func (m *management) configure(ctx context.Context, a Auditlb, ports map[Front]int) error {
	m.checks = a.HealthChecks
	if err := m.changeWeight(ctx); err != nil {
		return err
	}
	if a.HealthChecks {
		members := object{}
		for i := range probed {
			members[fmt.Sprintf("m%d", i)] = m.member(1)
		}
		if err := m.put(ctx, "pools/probed", object{"members": members, "health_check": m.healthCheck()}); err != nil {
			return err
		}
	}
	raw := object{"protocol": "tcp", "members": object{"a": m.member(1)}}
	if err := m.put(ctx, "pools/raw", raw); err != nil {
		return err
	}
	pair := object{"chain_pem": m.site.certPEM, "private_key_pem": m.site.keyPEM}
	if err := m.put(ctx, "certificates/bench", pair); err != nil {
		return err
	}
	for front, port := range ports {
		listener := object{
			"address": "127.0.0.1", "port": port, "protocol": "http", "default_pool": "web",
			"access_records": a.AccessRecords, "timeouts": object{"request_header": "10s", "request_body": "30s", "idle": idleTimeout},
		}
		switch front {
		case TLS:
			listener["protocol"], listener["certificates"], listener["default_certificate"] = "https", []string{"bench"}, "bench"
		case TCP:
			listener["protocol"], listener["default_pool"] = "tcp", "raw"
		case Logged:
			listener["access_records"] = "all"
		}
		if err := m.put(ctx, "listeners/"+string(front), listener); err != nil {
			return err
		}
	}
	return nil
}

func (m *management) member(weight int) object {
	return object{"address": fmt.Sprintf("127.0.0.1:%d", m.site.backendPort), "weight": weight}
}

func (m *management) healthCheck() object { return object{"interval": "1s", "timeout": "500ms"} }

// changeWeight puts the pool with another weight of its member than before.
func (m *management) changeWeight(ctx context.Context) error {
	m.weight = m.weight%2 + 1
	pool := object{"members": object{"a": m.member(m.weight)}}
	if m.checks {
		pool["health_check"] = m.healthCheck()
	}
	return m.put(ctx, "pools/web", pool)
}

// put creates an object, or replaces it if it was put before.
func (m *management) put(ctx context.Context, path string, o object) error {
	o["owner"] = "bench"
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	precondition := "If-None-Match"
	if m.there[path] {
		precondition = "If-Match"
	}
	if err := m.send(ctx, http.MethodPut, "/v1/"+path, body, precondition); err != nil {
		return err
	}
	m.there[path] = true
	return nil
}

func (m *management) scrape(ctx context.Context) error {
	return m.send(ctx, http.MethodGet, "/metrics", nil, "")
}

// send sends a call with the runtime's token and ticket. The precondition is a
// header's name, for any revision; "" for none.
func (m *management) send(ctx context.Context, method, path string, body []byte, precondition string) error {
	request, err := http.NewRequestWithContext(ctx, method, m.runtime.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+m.runtime.Token)
	request.Header.Set("Auditlb-Change-Ticket", m.runtime.Ticket)
	request.Header.Set("Content-Type", "application/json")
	if precondition != "" {
		request.Header.Set(precondition, "*")
	}
	return do(request)
}
