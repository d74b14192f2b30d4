package console

import (
	"hash/maphash"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of failures from one source: how many there may be before it has to wait, and how
// often one more after that.
const (
	loginFailures = 20
	failureEvery  = 3 * time.Second
)

// failures counts failures by source, in as many places as there are: sources that share
// one wait for each other, and nobody can tell which do.
type failures struct {
	seed   maphash.Seed
	places [1024]*rate.Limiter
}

func newFailures() *failures {
	f := &failures{seed: maphash.MakeSeed()}
	for i := range f.places {
		f.places[i] = rate.NewLimiter(rate.Every(failureEvery), loginFailures)
	}
	return f
}

// of is where the failures of an address, host:port, are counted: of IPv6 those of the
// network that one customer has.
func (f *failures) of(address string) *rate.Limiter {
	source := address
	if at, err := netip.ParseAddrPort(address); err == nil {
		ip := at.Addr().Unmap().WithZone("")
		if network, err := ip.Prefix(64); ip.Is6() && err == nil {
			ip = network.Addr()
		}
		source = ip.String()
	}
	return f.places[maphash.String(f.seed, source)%uint64(len(f.places))]
}
