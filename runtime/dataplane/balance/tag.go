package balance

import (
	"encoding/hex"

	"github.com/cespare/xxhash/v2"
)

// tagLength is that of 64 bits in hexadecimal.
const tagLength = 16

// Tag returns the value of an affinity cookie that names the member with a key: 16
// lower-case hexadecimal digits, the same on every node. It hides the key from
// casual eyes only; a client that knows it can ask for the member of its choice.
func Tag(key string) string { return formatTag(xxhash.Sum64String(key)) }

// Tag is the member's [Tag].
func (m *Member) Tag() string { return m.tag }

// Lookup returns the index of the share that a cookie's value names. Ok is false
// when the value is no tag, or its member is not among the shares.
func (b *Balancer) Lookup(tag []byte) (index int, ok bool) {
	hash, ok := parseTag(tag)
	if !ok {
		return 0, false
	}
	i, ok := b.tags[hash]
	return int(i), ok
}

func formatTag(hash uint64) string {
	var raw [tagLength / 2]byte
	for i := range raw {
		raw[i] = byte(hash >> (56 - 8*i))
	}
	return hex.EncodeToString(raw[:])
}

func parseTag(tag []byte) (hash uint64, ok bool) {
	if len(tag) != tagLength {
		return 0, false
	}
	for _, c := range tag {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		hash = hash<<4 | uint64(c)
	}
	return hash, true
}
