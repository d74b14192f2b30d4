package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/load"
	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/procfs"
	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/proxy"
)

const (
	// quiet is the share of the machine that others may use in a window.
	quiet = 0.1
	// tries is how often a window is taken at most until it is quiet.
	tries = 4
	// tolerated is the share of requests that may fail: a timeout on a busy machine.
	tolerated = 0.001
)

// sample is what was measured in a window.
type sample struct {
	// CPU is the proxy's time per unit of the case, in microseconds.
	CPU float64 `json:"cpu_us"`
	// Relative is the proxy's CPU time over that of client and backend together.
	Relative float64 `json:"relative_cpu"`
	// PerSecond is requests a second.
	PerSecond float64 `json:"rps"`
	// P99 is the 99th percentile of latency, in milliseconds.
	P99 float64 `json:"p99_ms"`
	// Others is the share of the machine that others used, 0 to 1.
	Others float64 `json:"others"`
}

// clocks are the CPU times that a window is the difference of.
type clocks struct {
	proxy, backend, own time.Duration
	machine             procfs.Machine
}

func readClocks(proxied, backend procfs.Group) (clocks, error) {
	var c clocks
	var errs [4]error
	c.proxy, errs[0] = proxied.CPU()
	c.backend, errs[1] = backend.CPU()
	c.own, errs[2] = procfs.Own()
	c.machine, errs[3] = procfs.ReadMachine()
	return c, errors.Join(errs[:]...)
}

// sampleOf divides what passed between two readings by what was done. Units is
// how many units are in a request.
func sampleOf(before, after clocks, r load.Result, units float64) (sample, error) {
	proxied := after.proxy - before.proxy
	backend := after.backend - before.backend
	own := after.own - before.own
	switch {
	case r.Requests == 0:
		return sample{}, errors.New("no request was answered")
	case float64(r.Failed) > tolerated*float64(r.Requests):
		return sample{}, fmt.Errorf("%d requests failed, %d were answered: %s", r.Failed, r.Requests, r.Failures)
	case proxied <= 0 || backend+own <= 0 || r.P99 <= 0:
		return sample{}, errors.New("the window is too short to measure anything")
	}
	return sample{
		CPU:       float64(proxied.Microseconds()) / (float64(r.Requests) * units),
		Relative:  float64(proxied) / float64(backend+own),
		PerSecond: r.PerSecond(),
		P99:       float64(r.P99.Microseconds()) / 1000,
		Others:    procfs.Others(before.machine, after.machine, proxied+backend+own),
	}, nil
}

// subject is a proxy as it stands in a case.
type subject struct {
	name  string
	proxy *proxy.Proxy
	// beside runs as long as a window does; nil for nothing.
	beside func(context.Context)
}

// take takes one window. An error has the end of the proxy's log if it has ended.
func (b *bench) take(ctx context.Context, s subject, c comparison, window time.Duration) (_ sample, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.proxy.Alive())
		}
	}()
	url := s.proxy.URL(c.front) + "/"
	if c.large {
		url = s.proxy.URL(c.front) + proxy.LargePath
	}
	if s.beside != nil {
		beside, stop := context.WithCancel(ctx)
		defer stop()
		go s.beside(beside)
	}
	before, err := readClocks(s.proxy.Group(), b.site.Backend())
	if err != nil {
		return sample{}, err
	}
	result, err := c.generator(b.trust)(ctx, url, window)
	if err != nil {
		return sample{}, err
	}
	after, err := readClocks(s.proxy.Group(), b.site.Backend())
	if err != nil {
		return sample{}, err
	}
	return sampleOf(before, after, result, c.units)
}

// quietest takes windows until one is quiet, a bounded number of times, and
// returns the one with the least of others.
func quietest(take func() (sample, error)) (sample, error) {
	var best sample
	for n := range tries {
		taken, err := take()
		if err != nil {
			return sample{}, err
		}
		if n == 0 || taken.Others < best.Others {
			best = taken
		}
		if best.Others <= quiet {
			break
		}
	}
	return best, nil
}
