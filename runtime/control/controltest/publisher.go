package controltest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Publisher is a publisher that sees what reaches traffic and compares it with
// what the store has committed at that moment.
type Publisher struct {
	store audit.Source

	mu        sync.Mutex // guards what follows
	published []int64
	ahead     []string
	reserved  map[string]int
	unbound   map[string]string
}

// Reserve implements control.Publisher.
func (p *Publisher) Reserve(name string, _ *lb.Listener) (func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if why, ok := p.unbound[name]; ok {
		return nil, errors.New(why)
	}
	if p.reserved == nil {
		p.reserved = map[string]int{}
	}
	p.reserved[name]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reserved[name]--
	}, nil
}

// Publish implements control.Publisher.
func (p *Publisher) Publish(c *control.Config) {
	var ahead []string
	for _, kind := range lb.Kinds {
		objects, _ := c.List(kind)
		for _, o := range objects {
			current, err := p.store.Current(context.Background(), o.Address.String())
			if err != nil || current == nil || current.Seq != o.Last.Revision || string(current.State) != string(o.Encoded) {
				ahead = append(ahead, fmt.Sprintf("%s at revision %d is not what is committed: %+v %v", o.Address, o.Last.Revision, current, err))
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published = append(p.published, c.Revision())
	p.ahead = append(p.ahead, ahead...)
}

// Published returns the revisions that were published, in order.
func (p *Publisher) Published() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int64(nil), p.published...)
}

// Ahead returns what was published although it was not committed.
func (p *Publisher) Ahead() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.ahead...)
}

// Reserved returns how many sockets of a listener are reserved and not given back.
func (p *Publisher) Reserved(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reserved[name]
}

// Unbindable makes Reserve fail for a listener.
func (p *Publisher) Unbindable(name, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unbound = map[string]string{name: why}
}
