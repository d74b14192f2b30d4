package http1

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestIPv6AddressesAreThoseOfNetip(t *testing.T) {
	addresses := []string{
		"::", "::1", "1::", "1::8", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7", "12345::", ":::", "::1::", ":1", "1:", ":", "", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4",
		"1:2:3:4:5::1.2.3.4", "1:2:3:4:5:6::1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::01.2.3.4", "::256.2.3.4", "::1.2.3.4:5", "::a.2.3.4",
		"1.2.3.4", "::1.2..4", "::1.2.3.", "g::", "FE80::A", "fe80::1%eth0",
	}
	// Deterministic noise near the grammar finds what the list forgets.
	source := rand.New(rand.NewPCG(1, 2))
	parts := []string{":", ":", "::", "1", "fff", "00000", "1.2.3.4", "255", ".", "0"}
	for range 50_000 {
		address := ""
		for range source.IntN(16) {
			address += parts[source.IntN(len(parts))]
		}
		addresses = append(addresses, address)
	}
	valid := 0
	for _, address := range addresses {
		ip, err := netip.ParseAddr(address)
		want := err == nil && ip.Is6() && ip.Zone() == ""
		if got := validIPv6(address); got != want {
			t.Errorf("%q is valid: %v, want %v", address, got, want)
		}
		if want {
			valid++
		}
	}
	if valid < 100 {
		t.Errorf("only %d of %d addresses were valid: the noise is too far from the grammar", valid, len(addresses))
	}
}

func TestAuthoritiesOfHTTP2AreCheckedAlike(t *testing.T) {
	for authority, want := range map[string]bool{
		"a": true, "a:80": true, "a:": true, "[::1]:443": true, "a:65535": true, "a:00080": true,
		"": false, ":80": false, "a:65536": false, "a:000080": false, "a:-1": false, "a b": false, "a@b": false, "a,b": false, "[::1": false, "[]": false, "a:80:90": false,
	} {
		if got := ValidAuthority(authority); got != want {
			t.Errorf("%q is valid: %v, want %v", authority, got, want)
		}
	}
}
