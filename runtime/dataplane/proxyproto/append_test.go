package proxyproto

import (
	"bufio"
	"bytes"
	"net/netip"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var versions = []lb.ProxyProtocol{lb.ProxyV1, lb.ProxyV2}

// byLibrary reads a header as somebody else would.
func byLibrary(t *testing.T, b []byte) *proxyproto.Header {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(b))
	h, err := proxyproto.Read(r)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	if r.Buffered() != 0 {
		t.Fatalf("%q: %d bytes are not of the header", b, r.Buffered())
	}
	return h
}

func TestOthersReadWhatWeAppend(t *testing.T) {
	withZone := netip.MustParseAddrPort("[fe80::7%eth0]:51000")
	mapped := netip.AddrPortFrom(netip.AddrFrom16(client4.Addr().As16()), client4.Port())
	tests := []struct {
		name          string
		client, local netip.AddrPort
		family        proxyproto.AddressFamilyAndProtocol
		from, to      string
	}{
		{"IPv4", client4, local4, proxyproto.TCPv4, "192.0.2.7:51000", "198.51.100.1:443"},
		{"IPv6", client6, local6, proxyproto.TCPv6, "[2001:db8::7]:51000", "[2001:db8::1]:443"},
		{"mapped", mapped, local4, proxyproto.TCPv4, "192.0.2.7:51000", "198.51.100.1:443"},
		{"IPv4 at an IPv6 address", client4, local6, proxyproto.TCPv6, "192.0.2.7:51000", "[2001:db8::1]:443"},
		{"IPv6 at an IPv4 address", client6, local4, proxyproto.TCPv6, "[2001:db8::7]:51000", "198.51.100.1:443"},
		{"with a zone", withZone, local6, proxyproto.TCPv6, "[fe80::7]:51000", "[2001:db8::1]:443"},
	}
	for _, tt := range tests {
		for i, version := range versions {
			t.Run(tt.name+", "+string(version), func(t *testing.T) {
				h := byLibrary(t, Append(nil, version, tt.client, tt.local))
				if int(h.Version) != i+1 || !h.Command.IsProxy() || h.TransportProtocol != tt.family {
					t.Errorf("read %+v", h)
				}
				if h.SourceAddr.String() != tt.from || h.DestinationAddr.String() != tt.to {
					t.Errorf("read %s to %s, want %s to %s", h.SourceAddr, h.DestinationAddr, tt.from, tt.to)
				}
			})
		}
	}
}

func TestOurOwnConnectionsAreNobodysElse(t *testing.T) {
	for i, version := range versions {
		h := byLibrary(t, AppendLocal(nil, version))
		if int(h.Version) != i+1 || !h.Command.IsLocal() {
			t.Errorf("%s: read %+v", version, h)
		}
	}
}

func TestNothingIsAppendedWhenOff(t *testing.T) {
	if b := Append([]byte("x"), lb.ProxyOff, client4, local4); string(b) != "x" {
		t.Errorf("appended %q", b)
	}
	if b := AppendLocal([]byte("x"), lb.ProxyOff); string(b) != "x" {
		t.Errorf("appended %q", b)
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, maxV1)
	for _, version := range versions {
		if n := testing.AllocsPerRun(100, func() { Append(dst, version, client6, local4) }); n != 0 {
			t.Errorf("%s: %v allocations", version, n)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := Parse(b)
		if err != nil {
			if h != (Header{}) || n != 0 {
				t.Fatalf("an error comes with %+v, %d", h, n)
			}
			return
		}
		if n > len(b) || n > MaxBytes {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		read := byLibrary(t, b[:n])
		if h.Proxied == read.Command.IsLocal() {
			t.Fatalf("Proxied is %t, the library says %+v", h.Proxied, read)
		}
		if !h.Proxied {
			return
		}
		if from, to, ok := read.TCPAddrs(); !ok || unmapped(from) != h.Client || unmapped(to) != h.Local {
			t.Fatalf("%+v, the library says %s to %s", h, read.SourceAddr, read.DestinationAddr)
		}
		for _, version := range versions {
			back, _, err := Parse(Append(nil, version, h.Client, h.Local))
			if err != nil || back != h {
				t.Fatalf("%+v came back as %+v, %v", h, back, err)
			}
		}
	})
}
