package traffic

import (
	"encoding/binary"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

// cell is what was counted of one key in one span of time: the fields below. All are
// added up over time and keys but open, of which the highest is kept.
type cell [fields]uint64

// Fields of a cell.
const (
	requests = 0                                // by class of status
	latency  = requests + dataplane.CodeClasses // by bucket
	carried  = latency + dataplane.LatencyBuckets
	failed   = carried + 1 // connections that no member took
	accepted = failed + 1
	open     = accepted + 1
	bytesIn  = open + 1
	bytesOut = bytesIn + 1
	fields   = bytesOut + 1
)

func (c *cell) add(other *cell) {
	most := max(c[open], other[open])
	for i, n := range other {
		c[i] += n
	}
	c[open] = most
}

// key is what a cell is about: what a listener sent to a pool or, without a pool, the
// listener's connections and the requests that went to no pool.
type key struct {
	listener, pool string
	// tcp is set for listeners without HTTP: connections are counted, not requests.
	tcp bool
}

// poolCell is what went to a pool.
func poolCell(p *dataplane.PoolTraffic) (c cell) {
	copy(c[requests:], p.Requests[:])
	copy(c[latency:], p.Latency[:])
	c[carried], c[failed] = p.Carried, p.Failed
	return c
}

// listenerCell is what a listener had beside what went to pools.
func listenerCell(l *dataplane.ListenerTraffic) (c cell) {
	none := l.Pools[""]
	c = poolCell(&none)
	c[accepted], c[open] = uint64(max(0, l.Accepted)), uint64(max(0, l.Open))
	c[bytesIn], c[bytesOut] = uint64(max(0, l.BytesIn)), uint64(max(0, l.BytesOut))
	return c
}

// appendCell appends a key's number and the fields that are not 0, as numbers of
// [binary.AppendUvarint]: the key, how many fields follow, and for each how many
// fields of 0 come before it, and its value.
func appendCell(dst []byte, id uint64, c *cell) []byte {
	set := uint64(0)
	for _, n := range c {
		if n > 0 {
			set++
		}
	}
	if set == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, id)
	dst = binary.AppendUvarint(dst, set)
	skipped := uint64(0)
	for _, n := range c {
		if n == 0 {
			skipped++
			continue
		}
		dst = binary.AppendUvarint(dst, skipped)
		dst = binary.AppendUvarint(dst, n)
		skipped = 0
	}
	return dst
}

// eachCell reads what [appendCell] wrote. Of keys that want does not let through,
// nothing is handed over.
func eachCell(b []byte, want func(id uint64) bool, each func(id uint64, c *cell)) {
	next := func() (n uint64) {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return n
	}
	for len(b) > 0 {
		id, set := next(), next()
		var c cell
		for i := uint64(0); set > 0; set-- {
			i += next()
			c[i] = next()
			i++
		}
		if want(id) {
			each(id, &c)
		}
	}
}
