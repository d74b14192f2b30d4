package main

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/load"
	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/proxy"
)

// The proxies, by name. The first is the one that is judged.
const (
	auditlb      = "auditlb"
	haproxy      = "haproxy"
	nginx        = "nginx"
	caddy        = "caddy"
	reverseproxy = "reverseproxy"
	before       = "before" // another build of auditlb
)

var peers = []string{haproxy, nginx, caddy, reverseproxy}

// What the load is made of.
const (
	connections      = 64 // HTTP/1.1, a request at a time on each
	http2Connections = 8
	http2Streams     = 8 // on each connection
	handshakeClients = 16
)

// comparison is a case that takes windows of every proxy in turn.
type comparison struct {
	name, about string
	front       proxy.Front
	large       bool // ask for the large response
	// unit is what CPU time is given per, units how many of it are in a request.
	unit  string
	units float64
	// generator makes the load; clients trust what the configuration says.
	generator func(*tls.Config) load.Generator
	peers     []string
}

const largeMegabytes = proxy.LargeBytes / 1e6

var comparisons = []comparison{
	{
		name: "http1-small", about: "HTTP/1.1, keep-alive, 128 bytes", front: proxy.HTTP,
		unit: "request", units: 1, generator: wrk, peers: peers,
	},
	{
		name: "http1-told", about: "as http1-small, with peers telling the member as much as auditlb always does", front: proxy.Told,
		unit: "request", units: 1, generator: wrk, peers: []string{haproxy, nginx},
	},
	{
		name: "http1-100k", about: "HTTP/1.1, keep-alive, 100 KB", front: proxy.HTTP, large: true,
		unit: "MB", units: largeMegabytes, generator: wrk, peers: peers,
	},
	{
		name: "tcp", about: "TCP passed on, HTTP of 128 bytes in it", front: proxy.TCP,
		unit: "request", units: 1, generator: wrk, peers: []string{haproxy, nginx},
	},
	{
		name: "tcp-100k", about: "TCP passed on, HTTP of 100 KB in it", front: proxy.TCP, large: true,
		unit: "MB", units: largeMegabytes, generator: wrk, peers: []string{haproxy, nginx},
	},
	{
		name: "tls-keepalive", about: "HTTP/1.1 over TLS, keep-alive, 128 bytes", front: proxy.TLS,
		unit: "request", units: 1, generator: wrk, peers: peers,
	},
	{
		name: "tls-handshake", about: "a full TLS handshake (ECDSA P-256, X25519) for each request", front: proxy.TLS,
		unit: "handshake", units: 1, generator: handshakes, peers: peers,
	},
	{
		name: "h2", about: "HTTP/2 over TLS to HTTP/1.1, 128 bytes, 8 streams on each of 8 connections", front: proxy.TLS,
		unit: "request", units: 1, generator: h2load, peers: peers,
	},
	{
		name: "records-all", about: "as http1-small, with a record of every request", front: proxy.Logged,
		unit: "request", units: 1, generator: wrk, peers: []string{haproxy, nginx, caddy},
	},
}

func wrk(*tls.Config) load.Generator { return load.Wrk(2, connections) }

func h2load(*tls.Config) load.Generator { return load.H2load(1, http2Connections, http2Streams) }

func handshakes(trust *tls.Config) load.Generator { return load.Handshakes(handshakeClients, trust) }

// The other cases.
const (
	caseCosts   = "costs"
	caseIdle    = "idle"
	caseIdleTLS = "idle-tls"
	caseReloads = "reloads"
)

// otherCases are the cases that are no comparison, with what they are about.
var otherCases = []struct{ name, about string }{
	{caseCosts, "what health checks, metrics and records cost auditlb, as http1-small"},
	{caseIdle, "memory of idle keep-alive connections"},
	{caseIdleTLS, "the same over TLS"},
	{caseReloads, "connections that reloads under load close"},
}

// caseNames are the names of all cases, in the order in which they run.
func caseNames() []string {
	var names []string
	for _, c := range comparisons {
		names = append(names, c.name)
	}
	for _, c := range otherCases {
		names = append(names, c.name)
	}
	return names
}

// choose reads a list of names separated by commas; empty is all that there are.
func choose(what, list string, all []string) ([]string, error) {
	if list == "" {
		return all, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("%s %q is none of %s", what, name, strings.Join(all, ", "))
		}
	}
	return names, nil
}
