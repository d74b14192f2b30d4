package limit

import (
	"net/netip"
	"sync"
)

// Connections counts what each client has open. It remembers only clients that
// have something open.
type Connections struct {
	seed   seed
	shards [shards]connectionShard
}

type connectionShard struct {
	mu   sync.Mutex // protects open
	open map[clientKey]int
	_    [48]byte // no two locks in one cache line
}

// NewConnections returns counts of clients that have nothing open.
func NewConnections() *Connections {
	c := &Connections{seed: newSeed()}
	for i := range c.shards {
		c.shards[i].open = make(map[clientKey]int)
	}
	return c
}

// Acquire counts a connection of a client and reports true, unless the client has
// limit of them open already. A limit of 0 is none; the connection counts all the
// same, for a configuration to come.
func (c *Connections) Acquire(addr netip.Addr, limit int) bool {
	key := keyOf(addr)
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.open[key]
	if limit > 0 && open >= limit {
		return false
	}
	s.open[key] = open + 1
	return true
}

// Release ends a connection that Acquire has counted.
func (c *Connections) Release(addr netip.Addr) {
	key := keyOf(addr)
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if open := s.open[key]; open > 1 {
		s.open[key] = open - 1
	} else {
		delete(s.open, key)
	}
}

func (c *Connections) shard(key clientKey) *connectionShard {
	return &c.shards[c.seed.hash(key)>>32%shards]
}
