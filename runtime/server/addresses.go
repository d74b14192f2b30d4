package server

import (
	"context"
	"fmt"
	"sync"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// putRunAddresses keeps what a run calls its resources.
func (s *server) putRunAddresses(c *call) (*answer, error) {
	id := c.PathValue("id")
	if err := s.require(c, identity.RegisterRun); err != nil {
		return nil, err
	}
	var req api.RunAddresses
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	if err := s.asRefusal(c, checkAddresses(id, req.Addresses).Err()); err != nil {
		return nil, err
	}
	who := c.control()
	who.Run = bounded(id, api.MaxRunIDLength)
	outcome, err := s.Controller.AttachAddresses(c.Context(), who, id, req.Addresses)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	s.addresses.forget(id)
	if !outcome.Unchanged {
		s.failures.leave(c.actor.Name, s.Now())
	}
	return ok(api.RunAddressesKept{ID: id, Addresses: req.Addresses, Seq: outcome.Entry.Seq})
}

func checkAddresses(id string, addresses map[string]string) lb.Violations {
	vs := checkRunID(id)
	add := func(format string, args ...any) {
		if len(vs) < lb.MaxViolations {
			vs = append(vs, lb.Violation{Pointer: "/addresses", Detail: fmt.Sprintf(format, args...)})
		}
	}
	if len(addresses) == 0 {
		add("is required: Terraform's address of each object, by address")
	}
	if len(addresses) > api.MaxRunAddresses {
		add("has %d addresses; at most %d are allowed", len(addresses), api.MaxRunAddresses)
		return vs
	}
	size := 0
	for address, name := range addresses {
		size += len(address) + len(name) + len(`"":"",`)
		if _, err := lb.ParseAddress(address); err != nil {
			add("must have addresses such as pool/web as names")
			continue
		}
		if name == "" || bounded(name, api.MaxTerraformAddressLength) != name {
			add("of %s must be an address of Terraform's, such as module.edge.auditlb_pool.web: 1 to %d printable bytes", address, api.MaxTerraformAddressLength)
		}
	}
	if size > api.MaxRunAddressesBytes {
		add("is %d bytes long; at most %d are allowed", size, api.MaxRunAddressesBytes)
	}
	return vs
}

// Bounds of the runs whose addresses are remembered, and of all those addresses.
const (
	maxRunsNamed  = 1000
	maxRemembered = 50_000
)

// runAddresses remembers what runs call their resources, so that a page of entries does
// not read it once for each.
type runAddresses struct {
	mu sync.Mutex // guards what follows
	by map[string]map[string]string
	// size is how many addresses there are.
	size int
	// changes counts what was forgotten: what was read before is not remembered after.
	changes int
}

// forget forgets a run whose addresses changed.
func (a *runAddresses) forget(run string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.size -= len(a.by[run])
	delete(a.by, run)
	a.changes++
}

// addressesOf is what a run calls its resources, by address.
func (s *server) addressesOf(ctx context.Context, run string) (map[string]string, error) {
	a := &s.addresses
	a.mu.Lock()
	names, known := a.by[run]
	changes := a.changes
	a.mu.Unlock()
	if known {
		return names, nil
	}
	names, err := s.Controller.AddressesOf(ctx, run)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.by[run]; a.changes != changes || known {
		return names, nil
	}
	if len(a.by) >= maxRunsNamed || a.size+len(names) > maxRemembered {
		clear(a.by) // rare, and cheap to read again
		a.size = 0
	}
	a.by[run] = names
	a.size += len(names)
	return names, nil
}

// name says what an entry's run calls the object that the entry is about.
func (s *server) name(ctx context.Context, record *api.EntryRecord) error {
	if record.Run == nil || record.Resource == "" {
		return nil
	}
	names, err := s.addressesOf(ctx, record.Run.ID)
	record.TerraformAddress = names[record.Resource]
	return err
}
