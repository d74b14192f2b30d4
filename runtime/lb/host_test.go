package lb

import (
	"slices"
	"testing"
)

func TestWhatAHostHeaderMaySay(t *testing.T) {
	for s, want := range map[string]bool{
		"app.example.com": true, "app.example.com:8080": true, "app": true, "app.example.com.": true, "10.0.0.7": true, "10.0.0.7:80": true,
		"[::1]": true, "[::1]:8080": true, "[2001:db8::1]:65535": true,
		"": false, ":80": false, "app:": false, "app:0": false, "app:65536": false, "app:08": false, "app:http": false, "a:b:1": false,
		"::1": false, "::1:80": false, "[::1": false, "::1]": false, "[::1]x": false, "[::1]:": false, "[fe80::1%eth0]": false, "[app]": false, "[10.0.0.7]": false,
		"user@app": false, "app/x": false, "app, b": false, "a b": false, "app\r\nX: y": false, "*.example.com": false,
	} {
		if got := checkAuthority(s) == ""; got != want {
			t.Errorf("%q accepted: %t, want %t", s, got, want)
		}
	}
}

func TestWhatIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.255.0.9": true, "::1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.7": false, "128.0.0.1": false, "[::1]": false, "127.0.0.1:80": false,
		"127.1": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "fe80::1": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}

func TestASourceIsTheNetworkThatOneCustomerHas(t *testing.T) {
	for _, tt := range []struct {
		name, ip, want string
	}{
		{"IPv4", "192.0.2.7", "192.0.2.7"},
		{"IPv4 as IPv6", "::ffff:192.0.2.7", "192.0.2.7"},
		{"IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"its neighbour", "2001:db8:1:2::1", "2001:db8:1:2::/64"},
		{"another customer", "2001:db8:1:3::1", "2001:db8:1:3::/64"},
		{"IPv6 of a link", "fe80::1%eth0", "fe80::/64"},
		{"no address", "somewhere", "somewhere"},
	} {
		if got := SourceOf(tt.ip); got != tt.want {
			t.Errorf("%s: %s is counted under %q, want %q", tt.name, tt.ip, got, tt.want)
		}
	}
}

func TestNetworksHaveOneForm(t *testing.T) {
	for _, tt := range []struct {
		name     string
		in, want []string
	}{
		{"none", nil, []string{}},
		{"host bits", []string{"10.1.2.3/8"}, []string{"10.0.0.0/8"}},
		{"one network written twice", []string{"10.0.0.0/8", "10.255.0.1/8"}, []string{"10.0.0.0/8"}},
		{"IPv6", []string{"2001:DB8:0:0::1/32"}, []string{"2001:db8::/32"}},
		{"IPv4 written as IPv6", []string{"::ffff:192.0.2.7/120"}, []string{"192.0.2.0/24"}},
		{"all IPv4 written as IPv6", []string{"::ffff:0:0/96"}, []string{"0.0.0.0/0"}},
		{"IPv6 that IPv4 is only part of", []string{"::ffff:0:0/80"}, []string{"::/80"}},
		{"order", []string{"192.0.2.0/24", "10.0.0.0/8"}, []string{"10.0.0.0/8", "192.0.2.0/24"}},
		{"no network", []string{"10.0.0.1", "x"}, []string{"10.0.0.1", "x"}},
	} {
		if got := canonicalPrefixes(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
