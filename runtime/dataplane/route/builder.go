package route

import (
	"maps"
	"slices"
)

// paths holds the routes of one host pattern.
type paths struct {
	madeBy  *mark
	literal *node    // exact paths and prefixes
	regex   *node    // regexes, as prefixes: the directories they all begin with
	any     []*Route // in order
}

// node is one segment of a path in a tree. Invariant: a node that is reachable holds
// a route or has a child that does; its routes are in the order of compareRoutes.
type node struct {
	madeBy   *mark
	children map[string]*node // by segment; "" for what follows a slash at the end
	exact    []*Route         // for this very path
	prefix   []*Route         // for this path and all below it
}

// builder makes a table out of another, which stays as it is: it copies whatever it
// changes, once. It is not used again after the new table is handed out.
type builder struct {
	from  *Table
	table *Table // nil until something changes
	mark  *mark
}

// mark is on what a builder made, which it may therefore write to. It refers to
// nothing, or each table would keep all before it from being collected.
type mark struct{ _ byte } // of a size, since pointers to nothing may be equal

// add puts a route in.
func (b *builder) add(r *Route) { b.everywhere(r, insert) }

// remove takes a route out: the one of the same configuration.
func (b *builder) remove(r *Route) { b.everywhere(r, without) }

// change is what happens to the lists that a route belongs to. It may write to the list.
type change func(routes []*Route, r *Route) []*Route

func insert(routes []*Route, r *Route) []*Route {
	at, _ := slices.BinarySearchFunc(routes, r, compareRoutes)
	return slices.Insert(routes, at, r)
}

func without(routes []*Route, r *Route) []*Route {
	at, ok := slices.BinarySearchFunc(routes, r, compareRoutes)
	if !ok {
		return routes
	}
	return slices.Delete(routes, at, at+1)
}

// everywhere changes the lists of all host patterns of a route.
func (b *builder) everywhere(r *Route, do change) {
	if b.table == nil {
		t := *b.from
		t.exact, t.wildcard = writable(t.exact), writable(t.wildcard)
		b.table = &t
	}
	if r.impossible {
		return
	}
	if len(r.config.Match.Hosts) == 0 {
		b.table.any = b.inPaths(b.table.any, r, do)
	}
	for _, pattern := range r.config.Match.Hosts {
		hosts := b.table.exact
		host, wildcard := configuredHost(pattern)
		if wildcard {
			hosts = b.table.wildcard
		}
		if p := b.inPaths(hosts[host], r, do); p != nil {
			hosts[host] = p
		} else {
			delete(hosts, host)
		}
	}
}

// writable is a copy of m that can be written to also when m is nil.
func writable(m map[string]*paths) map[string]*paths {
	if m == nil {
		return map[string]*paths{}
	}
	return maps.Clone(m)
}

func (b *builder) inPaths(p *paths, r *Route, do change) *paths {
	switch {
	case p == nil:
		p = &paths{madeBy: b.mark}
	case p.madeBy != b.mark:
		p = &paths{madeBy: b.mark, literal: p.literal, regex: p.regex, any: slices.Clone(p.any)}
	}
	switch r.kind {
	case exactPath, prefixPath:
		p.literal = b.inTree(p.literal, r.segments, r, do)
	case regexPath:
		p.regex = b.inTree(p.regex, r.segments, r, do)
	case anyPath:
		p.any = do(p.any, r)
	}
	if p.literal == nil && p.regex == nil && len(p.any) == 0 {
		return nil
	}
	return p
}

// inTree changes the list at a path below n, and returns what takes the place of n:
// nil when nothing is left.
func (b *builder) inTree(n *node, segments []string, r *Route, do change) *node {
	switch {
	case n == nil:
		n = &node{madeBy: b.mark}
	case n.madeBy != b.mark:
		n = &node{
			madeBy: b.mark, children: maps.Clone(n.children),
			exact: slices.Clone(n.exact), prefix: slices.Clone(n.prefix),
		}
	}
	switch {
	case len(segments) > 0:
		child := b.inTree(n.children[segments[0]], segments[1:], r, do)
		if child == nil {
			delete(n.children, segments[0])
			break
		}
		if n.children == nil {
			n.children = map[string]*node{}
		}
		n.children[segments[0]] = child
	case r.kind == exactPath:
		n.exact = do(n.exact, r)
	default:
		n.prefix = do(n.prefix, r)
	}
	if len(n.children) == 0 && len(n.exact) == 0 && len(n.prefix) == 0 {
		return nil
	}
	return n
}
