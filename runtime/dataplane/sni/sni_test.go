package sni

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// clients are configurations whose ClientHellos differ.
func clients() map[string]*tls.Config {
	many := make([]string, 500)
	for i := range many {
		many[i] = fmt.Sprint("protocol/", i)
	}
	classical := []tls.CurveID{tls.X25519, tls.CurveP256}
	return map[string]*tls.Config{
		"default":                 {ServerName: "app.example.com"},
		"without a name":          {},
		"asking for an address":   {ServerName: "192.0.2.1"},
		"in capitals":             {ServerName: "App.EXAMPLE.com"},
		"TLS 1.2":                 {ServerName: "app.example.com", MaxVersion: tls.VersionTLS12},
		"TLS 1.0, bare":           {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"TLS 1.3":                 {ServerName: "app.example.com", MinVersion: tls.VersionTLS13},
		"classical key shares":    {ServerName: "app.example.com", CurvePreferences: classical},
		"post-quantum key shares": {ServerName: "app.example.com", CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519}},
		"HTTP/2":                  {ServerName: "app.example.com", NextProtos: []string{"h2", "http/1.1"}},
		"many protocols":          {ServerName: "app.example.com", NextProtos: many},
		"the longest name":        {ServerName: strings.Repeat("a", 63) + "." + strings.Repeat("b.", 94) + "c"},
		"punycode and underscore": {ServerName: "_a.xn--bcher-kva.example"},
	}
}

func TestParseAgreesWithCryptoTLS(t *testing.T) {
	for name, config := range clients() {
		sent := helloOf(t, config)
		want, ok := byCryptoTLS(sent)
		if !ok {
			t.Fatalf("%s: crypto/tls refuses its own hello", name)
		}
		for _, size := range []int{1 << 14, 1000, 100, 7} {
			t.Run(fmt.Sprintf("%s, fragments of %d", name, size), func(t *testing.T) {
				b := fragmented(sent, size)
				if len(b) > MaxBytes {
					t.Skip("too large in fragments so small")
				}
				got, n, err := Parse(append(b, "more"...))
				if err != nil || n != len(b) || !reflect.DeepEqual(got, want) {
					t.Errorf("Parse returned %+v, %d, %v; want %+v, %d", got, n, err, want, len(b))
				}
			})
		}
	}
}

func TestEveryBeginningIsIncomplete(t *testing.T) {
	sent := helloOf(t, &tls.Config{ServerName: "app.example.com", NextProtos: []string{"h2"}})
	for _, b := range [][]byte{sent, fragmented(sent, 100), fragmented(sent, 1)} {
		for n := range b {
			if hello, _, err := Parse(b[:n]); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%d of %d bytes: %+v, %v", n, len(b), hello, err)
			}
		}
	}
}

func TestWhatCannotBecomeAHelloIsRefusedAtOnce(t *testing.T) {
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"HTTP", []byte("G"), ErrNotTLS},
		{"SSH", []byte("S"), ErrNotTLS},
		{"an alert", []byte{21}, ErrNotTLS},
		{"application data", []byte{23}, ErrNotTLS},
		{"SSL 2", []byte{0x80, 0x2e, 1, 3, 1}, ErrNotTLS},
		{"another major version", []byte{22, 4}, ErrNotTLS},
		{"an empty record", []byte{22, 3, 1, 0, 0}, ErrMalformed},
		{"a record over the limit", []byte{22, 3, 1, 0x40, 1}, ErrMalformed},
		{"a server's hello", []byte{22, 3, 1, 0, 80, 2}, ErrMalformed},
		{"another record in between", []byte{22, 3, 1, 0, 1, 1, 23}, ErrMalformed},
		{"an empty record in between", []byte{22, 3, 1, 0, 1, 1, 22, 3, 1, 0, 0}, ErrMalformed},
		{"a message over the bound", []byte{22, 3, 1, 1, 0, 1, 0, 0x40, 0}, ErrTooLarge},
		{"a record over the bound", []byte{22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xf0}, ErrTooLarge},
		{"fragments over the bound", bytes.Repeat([]byte{22, 3, 1, 0, 1, 1}, MaxBytes/6), ErrTooLarge},
		{"fragments over the bound, all there", fragmented(record(hello(extension(0xfafa, make([]byte, 3000)...))), 1), ErrTooLarge},
		{"something behind in the record", record(hello(), 0), ErrMalformed},
		{"extensions behind in the record", record(hello(), vector16(serverName("a.test")...)...), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _, err := Parse(tt.b); !errors.Is(err, tt.want) {
				t.Errorf("Parse returned %+v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// vector8 and vector16 precede bytes with their number.
func vector8(b ...byte) []byte  { return append([]byte{byte(len(b))}, b...) }
func vector16(b ...byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }

func extension(kind uint16, data ...byte) []byte {
	return append([]byte{byte(kind >> 8), byte(kind)}, vector16(data...)...)
}

func serverName(names ...string) []byte {
	var list []byte
	for _, name := range names {
		list = append(append(list, nameTypeHost), vector16([]byte(name)...)...)
	}
	return extension(extensionServerName, vector16(list...)...)
}

// record holds a handshake message of a body and something behind it.
func record(body []byte, behind ...byte) []byte {
	message := append([]byte{typeClientHello, 0}, vector16(body...)...)
	return append([]byte{typeHandshake, 3, 1}, vector16(append(message, behind...)...)...)
}

// hello is the body of a ClientHello with extensions, which are left out for none.
func hello(extensions ...[]byte) []byte {
	b := append([]byte{3, 3}, make([]byte, randomBytes)...)
	b = append(b, vector8()...)         // session
	b = append(b, vector16(0x13, 1)...) // cipher suites
	b = append(b, vector8(0)...)        // compression methods
	if extensions != nil {
		b = append(b, vector16(bytes.Join(extensions, nil)...)...)
	}
	return b
}

func TestHellosAreHeldToTheRules(t *testing.T) {
	alpn := extension(extensionALPN, vector16(vector8([]byte("h2")...)...)...)
	unknownType := append([]byte{7}, vector16('x')...)
	host := append([]byte{nameTypeHost}, vector16([]byte("a.test")...)...)
	random := func(b []byte, at int, v byte) []byte { b[at] = v; return b }
	tests := []struct {
		name string
		body []byte
		want Hello
		err  error
	}{
		{"no extensions", hello(), Hello{}, nil},
		{"an empty list of extensions", hello([]byte{}), Hello{}, nil},
		{"a name", hello(serverName("a.test")), Hello{ServerName: "a.test"}, nil},
		{"a name and a protocol", hello(alpn, serverName("a.test")), Hello{"a.test", []string{"h2"}}, nil},
		{"an extension that we don't know", hello(extension(0xfafa, 1, 2), serverName("a.test")), Hello{ServerName: "a.test"}, nil},
		{"a name of another type", hello(extension(extensionServerName, vector16(append(unknownType, host...)...)...)), Hello{ServerName: "a.test"}, nil},
		{"only a name of another type", hello(extension(extensionServerName, vector16(unknownType...)...)), Hello{}, nil},

		{"nothing", nil, Hello{}, ErrMalformed},
		{"cut in the random", hello()[:20], Hello{}, ErrMalformed},
		{"a session too long", random(hello(), 34, 33), Hello{}, ErrMalformed},
		{"no cipher suites", random(random(hello(), 36, 0), 37, 0), Hello{}, ErrMalformed},
		{"half a cipher suite", random(hello(), 36, 1), Hello{}, ErrMalformed},
		{"no compression methods", random(hello(), 39, 0), Hello{}, ErrMalformed},
		{"something behind the extensions", append(hello(alpn), 0), Hello{}, ErrMalformed},
		{"an extension that is cut", hello([]byte{0, 16, 0, 9, 0}), Hello{}, ErrMalformed},
		{"two names", hello(serverName("a.test", "b.test")), Hello{}, ErrMalformed},
		{"the name twice", hello(serverName("a.test"), serverName("a.test")), Hello{}, ErrMalformed},
		{"the protocols twice", hello(alpn, alpn), Hello{}, ErrMalformed},
		{"an empty name", hello(serverName("")), Hello{}, ErrMalformed},
		{"an empty list of names", hello(serverName()), Hello{}, ErrMalformed},
		{"a list of names that is cut", hello(extension(extensionServerName, 0, 9, 0, 0)), Hello{}, ErrMalformed},
		{"something behind the names", hello(extension(extensionServerName, append(vector16(host...), 0)...)), Hello{}, ErrMalformed},
		{"an empty list of protocols", hello(extension(extensionALPN, vector16()...)), Hello{}, ErrMalformed},
		{"an empty protocol", hello(extension(extensionALPN, vector16(0)...)), Hello{}, ErrMalformed},
		{"a protocol that is cut", hello(extension(extensionALPN, vector16(9, 'h')...)), Hello{}, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := Parse(record(tt.body))
			if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Parse returned %+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestOnlyDNSNamesAreNames(t *testing.T) {
	label := strings.Repeat("a", 63)
	tests := []struct {
		name string
		want string // "" if it is refused
	}{
		{"app.example.com", "app.example.com"},
		{"localhost", "localhost"},
		{"APP.Example.COM", "app.example.com"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"_service.app.test", "_service.app.test"},
		{"a--b.test", "a--b.test"},
		{"1.test", "1.test"},
		{label + ".test", label + ".test"},
		{strings.Repeat("a.", 126) + "b", strings.Repeat("a.", 126) + "b"},

		{"192.0.2.1", ""},
		{"2001:db8::1", ""},
		{"[2001:db8::1]", ""},
		{"app.test.", ""},
		{".app.test", ""},
		{"app..test", ""},
		{".", ""},
		{"-a.test", ""},
		{"a-.test", ""},
		{"a.test-", ""},
		{"a b.test", ""},
		{"a.test\x00", ""},
		{"a.test:443", ""},
		{"*.test", ""},
		{"bücher.example", ""},
		{label + "a.test", ""},
		{strings.Repeat("a.", 126) + "bc", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := Parse(record(hello(serverName(tt.name))))
			if got.ServerName != tt.want || (tt.want == "") != errors.Is(err, ErrBadName) {
				t.Errorf("Parse returned %q, %v; want %q", got.ServerName, err, tt.want)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	sent := helloOf(b, &tls.Config{ServerName: "app.example.com", NextProtos: []string{"h2", "http/1.1"}})
	for name, hello := range map[string][]byte{"one record": sent, "fragments": fragmented(sent, 200)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Parse(hello); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
