package limit

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
)

// shards is how many locks clients are spread over.
const shards = 64

// clientKey is what a client is known by: an IPv4 address, or the /64 network of an
// IPv6 address, of which a single host can use every address.
type clientKey uint64

func keyOf(addr netip.Addr) clientKey {
	addr = addr.Unmap()
	if addr.Is4() {
		ip := addr.As4()
		// Multicast (RFC 4291 §2.7) is nobody's source, so no /64 begins like this.
		return 0xffff<<48 | clientKey(binary.BigEndian.Uint32(ip[:]))
	}
	ip := addr.As16()
	return clientKey(binary.BigEndian.Uint64(ip[:]))
}

// seed makes the places of clients unpredictable, so that nobody can crowd those of
// somebody else.
type seed [2]uint64

func newSeed() seed { return seed{rand.Uint64(), rand.Uint64() | 1} }

func (s seed) hash(key clientKey) uint64 {
	high, low := bits.Mul64(uint64(key)^s[0], s[1])
	return (high ^ low) * 0x9e3779b97f4a7c15
}
