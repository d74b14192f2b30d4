package route

import (
	"math"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Table holds the routes of one listener, compiled for lookup. It is immutable. A
// table and the one it was made from share what is the same in both.
type Table struct {
	configs  map[string]*lb.Route // what it was made from, by name
	exact    map[string]*paths    // by host
	wildcard map[string]*paths    // by the host behind "*."
	any      *paths               // nil when there are none
	// longestWildcard bounds the suffixes of a host that are looked up: a
	// client chooses how many labels it sends.
	longestWildcard int
	// top is the highest priority of all routes: a match that has it is final.
	top int
}

// New compiles the routes of a listener, by name. Neither the map nor the routes may
// change afterwards: routes that are the same pointers as in previous, which may be
// nil, are taken over from it, so that one change among ten thousand routes costs
// little more than comparing the pointers. Without any change the result is previous
// itself.
func New(routes map[string]*lb.Route, previous *Table) *Table {
	if previous == nil {
		previous = &Table{}
	}
	b := builder{from: previous, mark: new(mark)}
	top, kept := math.MinInt, 0
	for name, config := range routes {
		top = max(top, config.Priority)
		old := previous.configs[name]
		if old != nil {
			kept++
		}
		if old == config {
			continue
		}
		if old != nil {
			b.remove(compile(name, old))
		}
		b.add(compile(name, config))
	}
	if kept < len(previous.configs) {
		for name, old := range previous.configs {
			if routes[name] == nil {
				b.remove(compile(name, old))
			}
		}
	}
	if b.table == nil {
		return previous
	}
	b.table.configs, b.table.top = routes, top
	b.table.longestWildcard = 0
	for suffix := range b.table.wildcard {
		b.table.longestWildcard = max(b.table.longestWildcard, len(suffix))
	}
	return b.table
}

// Match returns the route for a request, or nil. An error is a
// [*RequestError]: such a request must be refused, since it can't be told which route
// is the right one.
func (t *Table) Match(req *Request) (*Route, error) {
	path, err := req.canonicalPath()
	if err != nil {
		return nil, err
	}
	var buf [maxHostLength]byte
	host, whole := canonicalHost(&buf, req.Host)
	s := search{request: req, path: path, top: t.top}
	// The more specific come first, so only a higher priority beats what is found.
	if whole {
		s.in(t.exact[string(host)])
	}
	if len(t.wildcard) > 0 {
		rest := host[max(0, len(host)-t.longestWildcard-1):]
		for !s.done() {
			var ok bool
			if rest, ok = cutLabel(rest); !ok {
				break
			}
			s.in(t.wildcard[string(rest)])
		}
	}
	s.in(t.any)
	if s.err != nil {
		return nil, s.err
	}
	return s.best, nil
}
