package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// ListenerProtocol is what a listener speaks to clients.
type ListenerProtocol string

// TLSVersion is the oldest TLS a listener accepts.
type TLSVersion string

// The values of a listener's enumerated attributes.
const (
	ListenerHTTP  ListenerProtocol = "http"
	ListenerHTTPS ListenerProtocol = "https"
	ListenerTCP   ListenerProtocol = "tcp"

	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// What the attributes of a listener may be.
var (
	ListenerProtocols = []ListenerProtocol{ListenerHTTP, ListenerHTTPS, ListenerTCP}
	TLSVersions       = []TLSVersion{TLS12, TLS13}
)

// Defaults and bounds of a listener.
const (
	DefaultListenerAddress      = "0.0.0.0"
	DefaultListenerProtocol     = ListenerHTTP
	DefaultTLSMinVersion        = TLS12
	DefaultRequestHeaderTimeout = Duration(10 * time.Second)
	DefaultListenerIdleTimeout  = Duration(60 * time.Second)
	DefaultMaxHeaderBytes       = 64 << 10
	MinMaxHeaderBytes           = 1 << 10
	MaxMaxHeaderBytes           = 1 << 20
	DefaultMaxConnections       = 50_000
	MaxMaxConnections           = 1_000_000
	MaxListenerCertificates     = 1_000
)

// Listener is a socket that clients connect to.
type Listener struct {
	Meta
	Address            string           `json:"address"`
	Port               int              `json:"port"`
	Protocol           ListenerProtocol `json:"protocol"`
	Certificates       []string         `json:"certificates"`
	DefaultCertificate string           `json:"default_certificate"`
	DefaultPool        string           `json:"default_pool"`
	TLS                ListenerTLS      `json:"tls"`
	Timeouts           ListenerTimeouts `json:"timeouts"`
	Limits             ListenerLimits   `json:"limits"`
}

// ListenerTLS is how a listener speaks TLS.
type ListenerTLS struct {
	MinVersion TLSVersion `json:"min_version"`
}

// ListenerTimeouts bound how long a client may take.
type ListenerTimeouts struct {
	RequestHeader Duration `json:"request_header"`
	Idle          Duration `json:"idle"`
}

// ListenerLimits bound what a client may use.
type ListenerLimits struct {
	MaxHeaderBytes int `json:"max_header_bytes"`
	MaxConnections int `json:"max_connections"`
}

// NewListener returns a listener with every default set and no port.
func NewListener() *Listener {
	return &Listener{
		Address:  DefaultListenerAddress,
		Protocol: DefaultListenerProtocol,
		TLS:      ListenerTLS{MinVersion: DefaultTLSMinVersion},
		Timeouts: ListenerTimeouts{RequestHeader: DefaultRequestHeaderTimeout, Idle: DefaultListenerIdleTimeout},
		Limits:   ListenerLimits{MaxHeaderBytes: DefaultMaxHeaderBytes, MaxConnections: DefaultMaxConnections},
	}
}

// Kind implements [Object].
func (*Listener) Kind() Kind { return KindListener }

// Normalize implements [Object].
func (l *Listener) Normalize() {
	l.Meta.normalize()
	l.Certificates = sortedSet(l.Certificates)
	if a, err := netip.ParseAddr(l.Address); err == nil {
		// ::ffff:127.0.0.1 is the socket of 127.0.0.1.
		l.Address = a.Unmap().String()
	}
}

// BindAddress is the address and port as net.Listen takes them.
func (l *Listener) BindAddress() string {
	return netip.AddrPortFrom(netip.MustParseAddr(l.Address), uint16(l.Port)).String()
}

// References implements [Object].
func (l *Listener) References() []Reference {
	var refs []Reference
	for i, name := range l.Certificates {
		refs = append(refs, Reference{
			Pointer: fmt.Sprintf("/certificates/%d", i),
			To:      Address{KindCertificate, name},
			Suits:   func(Object) string { return "" },
		})
	}
	if l.DefaultPool != "" {
		want := PoolHTTP
		if l.Protocol == ListenerTCP {
			want = PoolTCP
		}
		refs = append(refs, Reference{
			Pointer: "/default_pool",
			To:      Address{KindPool, l.DefaultPool},
			Suits:   wantPool(want),
		})
	}
	return refs
}

// wantPool requires a pool of a protocol.
func wantPool(want PoolProtocol) func(Object) string {
	return func(obj Object) string {
		if p, ok := obj.(*Pool); ok && p.Protocol != want {
			return fmt.Sprintf("has protocol %s; one with protocol %s is needed here", p.Protocol, want)
		}
		return ""
	}
}

// Validate implements [Object].
func (l *Listener) Validate() Violations {
	c := newChecker()
	l.Meta.validate(c)
	if a, err := netip.ParseAddr(l.Address); err != nil || a.Zone() != "" {
		c.at("address").fail("%s must be an IP address to bind, such as 0.0.0.0, 127.0.0.1 or ::", shown(l.Address))
	}
	c.at("port").intIn(l.Port, 1, 65535)
	oneOf(c.at("protocol"), l.Protocol, ListenerProtocols)
	l.validateCertificates(c)
	if l.DefaultPool != "" {
		c.at("default_pool").try(CheckName(l.DefaultPool))
	} else if l.Protocol == ListenerTCP {
		c.at("default_pool").fail("is required when protocol is %s: there are no routes to choose by", ListenerTCP)
	}
	oneOf(c.at("tls").at("min_version"), l.TLS.MinVersion, TLSVersions)
	t := c.at("timeouts")
	t.at("request_header").durationIn(l.Timeouts.RequestHeader, MinTimeout, MaxTimeout)
	t.at("idle").durationIn(l.Timeouts.Idle, MinTimeout, MaxTimeout)
	limits := c.at("limits")
	limits.at("max_header_bytes").intIn(l.Limits.MaxHeaderBytes, MinMaxHeaderBytes, MaxMaxHeaderBytes)
	limits.at("max_connections").intIn(l.Limits.MaxConnections, 1, MaxMaxConnections)
	return *c.found
}

func (l *Listener) validateCertificates(c checker) {
	at := c.at("certificates")
	if len(l.Certificates) > MaxListenerCertificates {
		at.fail("has %d certificates; at most %d are allowed", len(l.Certificates), MaxListenerCertificates)
	}
	for i, name := range l.Certificates {
		at.index(i).try(CheckName(name))
	}
	if l.Protocol == ListenerHTTPS && len(l.Certificates) == 0 {
		at.fail("must name at least one certificate when protocol is %s", ListenerHTTPS)
	}
	if l.Protocol != ListenerHTTPS && len(l.Certificates) > 0 {
		at.fail("are only for protocol %s; this listener's protocol is %s", ListenerHTTPS, l.Protocol)
	}
	if l.DefaultCertificate != "" && !slices.Contains(l.Certificates, l.DefaultCertificate) {
		c.at("default_certificate").fail("%s must be one of the listener's certificates", shown(l.DefaultCertificate))
	}
}
