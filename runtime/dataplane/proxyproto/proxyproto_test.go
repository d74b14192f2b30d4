package proxyproto

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var (
	v4 = netip.MustParseAddrPort("192.0.2.7:51000")
	to = netip.MustParseAddrPort("198.51.100.1:443")
	v6 = netip.MustParseAddrPort("[2001:db8::7]:51000")
	t6 = netip.MustParseAddrPort("[2001:db8::1]:443")
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, tc := range []struct {
		name          string
		client, local netip.AddrPort
		wantClient    netip.AddrPort
	}{
		{"IPv4", v4, to, v4},
		{"IPv6", v6, t6, v6},
		{"IPv4 client of an IPv6 address", v4, t6, v4},
	} {
		for _, version := range []lb.ProxyProtocol{lb.ProxyV1, lb.ProxyV2} {
			t.Run(tc.name+" "+string(version), func(t *testing.T) {
				b := append(Append(nil, version, tc.client, tc.local), "rest"...)
				h, n, err := Parse(b)
				if err != nil || string(b[n:]) != "rest" {
					t.Fatalf("%q: read %d bytes, %v", b, n, err)
				}
				if !h.Proxied || h.Client != tc.wantClient {
					t.Errorf("%q: read %+v, want client %s", b, h, tc.wantClient)
				}
				for cut := range n {
					if _, _, err := Parse(b[:cut]); !errors.Is(err, ErrIncomplete) {
						t.Fatalf("the first %d bytes of %q: %v, want ErrIncomplete", cut, b[:n], err)
					}
				}
			})
		}
	}
}

func TestProxiesMaySpeakForThemselves(t *testing.T) {
	for _, b := range [][]byte{AppendLocal(nil, lb.ProxyV1), AppendLocal(nil, lb.ProxyV2), []byte("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n")} {
		h, n, err := Parse(b)
		if err != nil || h.Proxied || n != len(b) {
			t.Errorf("%q: %+v, %d, %v", b, h, n, err)
		}
	}
}

func TestMalformedHeadersAreRefused(t *testing.T) {
	v2 := func(length byte, rest string) []byte {
		return append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00"), append([]byte{length}, rest...)...)
	}
	for name, b := range map[string][]byte{
		"HTTP":                   []byte("GET / HTTP/1.1\r\n"),
		"lower case":             []byte("proxy TCP4 192.0.2.7 198.51.100.1 51000 443\r\n"),
		"bare line feed":         []byte("PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\n"),
		"no end":                 append([]byte("PROXY TCP4 "), bytes.Repeat([]byte("1"), 200)...),
		"too few parts":          []byte("PROXY TCP4 192.0.2.7\r\n"),
		"port too large":         []byte("PROXY TCP4 192.0.2.7 198.51.100.1 70000 443\r\n"),
		"other family":           []byte("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"),
		"v2 short addresses":     v2(4, "abcd"),
		"v2 too long":            []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff"),
		"v2 with UDP":            append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x12\x00\x0c"), make([]byte, 12)...),
		"v2 of a later version":  append([]byte("\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x0c"), make([]byte, 12)...),
		"v2 with a strange verb": append([]byte("\r\n\r\n\x00\r\nQUIT\n\x2f\x11\x00\x0c"), make([]byte, 12)...),
	} {
		if h, n, err := Parse(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %d, %v; want ErrMalformed", name, h, n, err)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	f.Add(Append(nil, lb.ProxyV1, v4, to))
	f.Add(Append(nil, lb.ProxyV2, v6, t6))
	f.Add(AppendLocal(nil, lb.ProxyV2))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x13\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb\x04\x00\x04abcd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := Parse(b)
		if err != nil {
			return
		}
		if n > len(b) || n > MaxBytes {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		again, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatalf("accepted what the library refuses: %v", err)
		}
		if !h.Proxied {
			return
		}
		if a, ok := again.SourceAddr.(*net.TCPAddr); !ok || unmapped(a) != h.Client {
			t.Fatalf("client %s, the library says %s", h.Client, again.SourceAddr)
		}
		for _, version := range []lb.ProxyProtocol{lb.ProxyV1, lb.ProxyV2} {
			back, _, err := Parse(Append(nil, version, h.Client, h.Local))
			if err != nil || back.Client != h.Client || back.Local.Port() != h.Local.Port() {
				t.Fatalf("%+v came back as %+v, %v", h, back, err)
			}
		}
	})
}
