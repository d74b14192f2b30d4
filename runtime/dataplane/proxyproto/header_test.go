package proxyproto

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// v2 is a header of version 2.
func v2(command, family byte, body string) string {
	return prefixV2 + string([]byte{command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

const (
	addresses4 = "\xc0\x00\x02\x07\xc6\x33\x64\x01\xc7\x38\x01\xbb"
	addresses6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xc7\x38\x01\xbb"
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x07" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc6\x33\x64\x01\xc7\x38\x01\xbb"
)

var (
	client4 = netip.MustParseAddrPort("192.0.2.7:51000")
	local4  = netip.MustParseAddrPort("198.51.100.1:443")
	client6 = netip.MustParseAddrPort("[2001:db8::7]:51000")
	local6  = netip.MustParseAddrPort("[2001:db8::1]:443")
)

func TestAHeaderTellsTheClient(t *testing.T) {
	over4, over6 := Header{true, client4, local4}, Header{true, client6, local6}
	tests := []struct {
		name, header string
		want         Header
	}{
		{"v1, IPv4", "PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\n", over4},
		{"v1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 51000 443\r\n", over6},
		{"v1, mapped", "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 51000 443\r\n", over4},
		{"v1, unknown", "PROXY UNKNOWN\r\n", Header{}},
		{"v1, unknown with more", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Header{}},
		{"v1, unknown, as long as can be", "PROXY UNKNOWN " + strings.Repeat("f", maxV1-16) + "\r\n", Header{}},
		{"v2, IPv4", v2(0x21, 0x11, addresses4), over4},
		{"v2, IPv6", v2(0x21, 0x21, addresses6), over6},
		{"v2, mapped", v2(0x21, 0x21, mapped), over4},
		{"v2, with TLVs", v2(0x21, 0x11, addresses4+"\x04\x00\x04abcd\x02\x00\x01x"), over4},
		{"v2, as long as can be", v2(0x21, 0x11, addresses4+strings.Repeat("\x04", MaxBytes-fixedV2-12)), over4},
		{"v2, local", v2(0x20, 0x00, ""), Header{}},
		{"v2, local with addresses", v2(0x20, 0x11, addresses4), Header{}},
		{"v2, local with anything", v2(0x20, 0x11, "abc"), Header{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := []byte(tt.header + "what follows")
			got, n, err := Parse(b)
			if err != nil || got != tt.want || n != len(tt.header) {
				t.Errorf("Parse returned %+v, %d, %v; want %+v, %d", got, n, err, tt.want, len(tt.header))
			}
			for cut := range n {
				if got, _, err := Parse(b[:cut]); !errors.Is(err, ErrIncomplete) {
					t.Fatalf("%d of %d bytes: %+v, %v", cut, n, got, err)
				}
			}
		})
	}
}

func TestWhatIsNoHeaderIsRefusedAtOnce(t *testing.T) {
	tests := []struct{ name, header string }{
		{"HTTP", "G"},
		{"TLS", "\x16"},
		{"a POST", "PO"},
		{"lower case", "proxy"},
		{"v1, bare line feed", "PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\n"},
		{"v1, no end", "PROXY UNKNOWN " + strings.Repeat("1", maxV1)},
		{"v1, end too late", "PROXY UNKNOWN " + strings.Repeat("f", maxV1-15) + "\r\n"},
		{"v1, no family", "PROXY \r\n"},
		{"v1, other family", "PROXY UDP4 192.0.2.7 198.51.100.1 51000 443\r\n"},
		{"v1, too few parts", "PROXY TCP4 192.0.2.7\r\n"},
		{"v1, too many parts", "PROXY TCP4 192.0.2.7 198.51.100.1 51000 443 1\r\n"},
		{"v1, two spaces", "PROXY  TCP4 192.0.2.7 198.51.100.1 51000 443\r\n"},
		{"v1, addresses of the other family", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"},
		{"v1, a name", "PROXY TCP4 localhost 198.51.100.1 1 2\r\n"},
		{"v1, a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n"},
		{"v1, port too large", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n"},
		{"v1, port with a sign", "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n"},
		{"v1, port with a zero in front", "PROXY TCP4 192.0.2.7 198.51.100.1 080 443\r\n"},
		{"v2, another version", v2(0x31, 0x11, addresses4)},
		{"v2, another command", v2(0x22, 0x11, addresses4)},
		{"v2, another family", v2(0x21, 0x41, addresses4)},
		{"v2, another transport", v2(0x21, 0x13, addresses4)},
		{"v2, UDP", v2(0x21, 0x12, addresses4)},
		{"v2, a Unix socket", v2(0x21, 0x31, strings.Repeat("a", 216))},
		{"v2, unspecified", v2(0x21, 0x00, "")},
		{"v2, addresses too short", v2(0x21, 0x11, addresses4[:11])},
		{"v2, addresses of the other family", v2(0x21, 0x21, addresses4)},
		{"v2, too large", v2(0x21, 0x11, addresses4+strings.Repeat("\x04", MaxBytes-fixedV2-11))[:fixedV2]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, n, err := Parse([]byte(tt.header)); !errors.Is(err, ErrMalformed) || n != 0 {
				t.Errorf("Parse returned %+v, %d, %v", got, n, err)
			}
		})
	}
}
