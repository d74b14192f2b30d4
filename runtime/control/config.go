package control

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Object is an object of the running configuration.
//
// Invariant: an Object and what it points to never change once they are in a
// configuration; a change puts another one in its place.
type Object struct {
	Address lb.Address
	Object  lb.Object
	// Encoded is the object's canonical JSON.
	Encoded jsontext.Value
	Last    audit.LastChange
}

// Config is the running configuration: the fold of the log over objects.
// It implements [lb.View].
type Config struct {
	// mu guards what follows. Only the controller's goroutine writes; it may
	// read without the lock.
	mu       sync.RWMutex
	objects  map[lb.Kind]map[string]*Object
	revision int64
}

func newConfig() *Config {
	c := &Config{objects: make(map[lb.Kind]map[string]*Object, len(lb.Kinds))}
	for _, kind := range lb.Kinds {
		c.objects[kind] = map[string]*Object{}
	}
	return c
}

// Get returns an object, or nil.
func (c *Config) Get(a lb.Address) *Object {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.objects[a.Kind][a.Name]
}

// List returns the objects of a kind by name, and the revision they stand at.
func (c *Config) List(kind lb.Kind) ([]*Object, int64) {
	c.mu.RLock()
	out := slices.Collect(maps.Values(c.objects[kind]))
	revision := c.revision
	c.mu.RUnlock()
	slices.SortFunc(out, func(a, b *Object) int { return cmp.Compare(a.Address.Name, b.Address.Name) })
	return out, revision
}

// Revision is the seq of the entry that last changed an object.
func (c *Config) Revision() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.revision
}

// Lookup implements [lb.View].
func (c *Config) Lookup(a lb.Address) lb.Object {
	if o := c.Get(a); o != nil {
		return o.Object
	}
	return nil
}

// All implements [lb.View].
func (c *Config) All(kind lb.Kind) iter.Seq2[string, lb.Object] {
	return func(yield func(string, lb.Object) bool) {
		c.mu.RLock()
		defer c.mu.RUnlock()
		for name, o := range c.objects[kind] {
			if !yield(name, o.Object) {
				return
			}
		}
	}
}

// overlay is a configuration with the changes of a batch laid over it. A nil
// entry in changed is a deletion.
type overlay struct {
	base    *Config
	changed map[lb.Address]*Object
}

func (v overlay) get(a lb.Address) *Object {
	if o, ok := v.changed[a]; ok {
		return o
	}
	return v.base.Get(a)
}

// Lookup implements [lb.View].
func (v overlay) Lookup(a lb.Address) lb.Object {
	if o := v.get(a); o != nil {
		return o.Object
	}
	return nil
}

// All implements [lb.View].
func (v overlay) All(kind lb.Kind) iter.Seq2[string, lb.Object] {
	return func(yield func(string, lb.Object) bool) {
		for a, o := range v.changed {
			if a.Kind == kind && o != nil && !yield(a.Name, o.Object) {
				return
			}
		}
		for name, obj := range v.base.All(kind) {
			if _, ok := v.changed[lb.Address{Kind: kind, Name: name}]; !ok && !yield(name, obj) {
				return
			}
		}
	}
}

// apply folds the overlay into its base: the batch is durable now.
func (v overlay) apply(revision int64) {
	if len(v.changed) == 0 {
		return
	}
	v.base.mu.Lock()
	defer v.base.mu.Unlock()
	for a, o := range v.changed {
		if o == nil {
			delete(v.base.objects[a.Kind], a.Name)
		} else {
			v.base.objects[a.Kind][a.Name] = o
		}
	}
	v.base.revision = revision
}
