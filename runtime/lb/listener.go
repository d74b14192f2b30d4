package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// ListenerProtocol is what a listener speaks to clients.
type ListenerProtocol string

// ClientAuth is what is asked of clients' certificates.
type ClientAuth string

// AccessRecords says which requests leave a record.
type AccessRecords string

// TLSVersion is the oldest TLS a listener accepts.
type TLSVersion string

// The values of a listener's enumerated attributes.
const (
	ListenerHTTP  ListenerProtocol = "http"
	ListenerHTTPS ListenerProtocol = "https"
	ListenerTCP   ListenerProtocol = "tcp"
	// ListenerTLSPassthrough routes by the name a client asks for, without decrypting.
	ListenerTLSPassthrough ListenerProtocol = "tls_passthrough"

	ClientAuthNone     ClientAuth = "none"
	ClientAuthOptional ClientAuth = "optional"
	ClientAuthRequired ClientAuth = "required"

	AccessOff    AccessRecords = "off"
	AccessErrors AccessRecords = "errors"
	AccessAll    AccessRecords = "all"

	ALPNHTTP2 = "h2"
	ALPNHTTP1 = "http/1.1"

	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// What the attributes of a listener may be.
var (
	ListenerProtocols = []ListenerProtocol{ListenerHTTP, ListenerHTTPS, ListenerTCP, ListenerTLSPassthrough}
	TLSVersions       = []TLSVersion{TLS12, TLS13}
	ClientAuths       = []ClientAuth{ClientAuthNone, ClientAuthOptional, ClientAuthRequired}
	AccessRecordings  = []AccessRecords{AccessOff, AccessErrors, AccessAll}
	ALPNProtocols     = []string{ALPNHTTP2, ALPNHTTP1}
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
	DefaultRequestBodyTimeout   = Duration(30 * time.Second)
	DefaultMaxBodyBytes         = 0
	MaxMaxBodyBytes             = 1 << 40
	DefaultClientConnections    = 0
	DefaultMaxRequests          = 100_000
	MaxMaxRequests              = 10_000_000
	DefaultRequestRate          = 0
	MaxRequestRate              = 1_000_000
	DefaultRequestBurst         = 0
	MaxRequestBurst             = 1_000_000
	DefaultClientAuth           = ClientAuthNone
	DefaultAccessRecords        = AccessErrors
	DefaultConcurrentStreams    = 100
	MaxConcurrentStreams        = 10_000
	MaxCIDRs                    = 1_000
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
	HTTP2              ListenerHTTP2    `json:"http2"`
	// ProxyProtocol: connections from TrustedProxies begin with a PROXY header, and
	// others are refused.
	ProxyProtocol bool `json:"proxy_protocol"`
	// TrustedProxies are the networks whose X-Forwarded-*, Forwarded and PROXY
	// headers are believed.
	TrustedProxies []string `json:"trusted_proxies"`
	// AllowedCIDRs are the networks that clients may come from; empty: any.
	AllowedCIDRs  []string      `json:"allowed_cidrs"`
	AccessRecords AccessRecords `json:"access_records"`
}

// ListenerTLS is how a listener speaks TLS.
type ListenerTLS struct {
	MinVersion TLSVersion `json:"min_version"`
	// ALPN lists the protocols offered, of [ALPNProtocols].
	ALPN []string `json:"alpn"`
	// ClientCAPEM holds the authorities of client certificates.
	ClientCAPEM string     `json:"client_ca_pem"`
	ClientAuth  ClientAuth `json:"client_auth"`
}

// ListenerHTTP2 is how a listener speaks HTTP/2.
type ListenerHTTP2 struct {
	// PriorKnowledge lets an http listener speak HTTP/2 without TLS (h2c).
	PriorKnowledge       bool `json:"prior_knowledge"`
	MaxConcurrentStreams int  `json:"max_concurrent_streams"`
}

// ListenerTimeouts bound how long a client may take.
type ListenerTimeouts struct {
	RequestHeader Duration `json:"request_header"`
	// RequestBody is the time in which a further part of a body must arrive.
	RequestBody Duration `json:"request_body"`
	Idle        Duration `json:"idle"`
}

// ListenerLimits bound what a client may use.
type ListenerLimits struct {
	MaxHeaderBytes int `json:"max_header_bytes"`
	// MaxBodyBytes bounds a request's body; 0: no bound.
	MaxBodyBytes   int `json:"max_body_bytes"`
	MaxConnections int `json:"max_connections"`
	// MaxConnectionsPerClient bounds connections of one client address; 0: no bound.
	MaxConnectionsPerClient int `json:"max_connections_per_client"`
	// MaxRequests bounds requests under way at once; more are answered 503.
	MaxRequests int `json:"max_requests"`
	// RequestRate is how many requests a second one client address may send
	// (connections, where there are no requests); 0: no bound.
	RequestRate int `json:"request_rate"`
	// RequestBurst is how many requests a client may send at once above the rate.
	RequestBurst int `json:"request_burst"`
}

// NewListener returns a listener with every default set and no port.
func NewListener() *Listener {
	return &Listener{
		Address:  DefaultListenerAddress,
		Protocol: DefaultListenerProtocol,
		TLS:      ListenerTLS{MinVersion: DefaultTLSMinVersion, ALPN: slices.Clone(ALPNProtocols), ClientAuth: DefaultClientAuth},
		Timeouts: ListenerTimeouts{RequestHeader: DefaultRequestHeaderTimeout, RequestBody: DefaultRequestBodyTimeout, Idle: DefaultListenerIdleTimeout},
		Limits: ListenerLimits{
			MaxHeaderBytes: DefaultMaxHeaderBytes, MaxBodyBytes: DefaultMaxBodyBytes,
			MaxConnections: DefaultMaxConnections, MaxConnectionsPerClient: DefaultClientConnections,
			MaxRequests: DefaultMaxRequests, RequestRate: DefaultRequestRate, RequestBurst: DefaultRequestBurst,
		},
		HTTP2:         ListenerHTTP2{MaxConcurrentStreams: DefaultConcurrentStreams},
		AccessRecords: DefaultAccessRecords,
	}
}

// Kind implements [Object].
func (*Listener) Kind() Kind { return KindListener }

// Normalize implements [Object].
func (l *Listener) Normalize() {
	l.Meta.normalize()
	l.Certificates = sortedSet(l.Certificates)
	l.TLS.ALPN = sortedSet(l.TLS.ALPN)
	l.TrustedProxies = canonicalPrefixes(l.TrustedProxies)
	l.AllowedCIDRs = canonicalPrefixes(l.AllowedCIDRs)
	if a, err := netip.ParseAddr(l.Address); err == nil {
		// ::ffff:127.0.0.1 is the socket of 127.0.0.1.
		l.Address = a.Unmap().String()
	}
}

// BindAddress is the address and port as net.Listen takes them.
func (l *Listener) BindAddress() string {
	return netip.AddrPortFrom(netip.MustParseAddr(l.Address), uint16(l.Port)).String()
}

// PoolProtocol is the protocol of the pools that a listener can send to.
func (l *Listener) PoolProtocol() PoolProtocol {
	if l.Protocol == ListenerTCP || l.Protocol == ListenerTLSPassthrough {
		return PoolTCP
	}
	return PoolHTTP
}

// References implements [Object].
func (l *Listener) References() []Reference {
	var refs []Reference
	for i, name := range l.Certificates {
		refs = append(refs, Reference{
			Pointer: fmt.Sprintf("/certificates/%d", i),
			To:      Address{KindCertificate, name},
			Suits:   anyWillDo,
		})
	}
	if l.DefaultPool != "" {
		refs = append(refs, Reference{
			Pointer: "/default_pool",
			To:      Address{KindPool, l.DefaultPool},
			Suits: func(_ View, pool Object) string {
				return wantPool(pool, l.PoolProtocol())
			},
		})
	}
	return refs
}
