package console

import (
	"hash/maphash"
	"net"
	"time"

	"golang.org/x/time/rate"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
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

// of is where the failures of an address, host:port, are counted, see [lb.SourceOf].
func (f *failures) of(address string) *rate.Limiter {
	ip, _, err := net.SplitHostPort(address)
	if err != nil {
		ip = address
	}
	return f.places[maphash.String(f.seed, lb.SourceOf(ip))%uint64(len(f.places))]
}
