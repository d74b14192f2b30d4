package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/history"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// A page of objects, as the API reads them, and of entries.
const (
	objectsAtOnce = 500
	newest        = 50
)

// pastCases are questions about the past, at random places of a log that has every pool.
// Of those that take long n/100 are asked in a round.
func pastCases(reader *sqlite.Reader, size int64, n int) []benchCase {
	few := max(1, n/100)
	pool := func(random *rand.Rand) lb.Address {
		return lb.Address{Kind: lb.KindPool, Name: fmt.Sprintf("pool-%05d", random.IntN(pools))}
	}
	revision := func(random *rand.Rand) int64 { return size/2 + random.Int64N(size/2) }
	return []benchCase{
		{"state at a time", int64(few), timed(few, func(ctx context.Context, random *rand.Rand) error {
			at, found, after := revision(random), 0, ""
			for more := true; more; {
				var objects []history.Object
				var err error
				if objects, more, err = history.StateAt(ctx, reader, at, after, objectsAtOnce); err != nil {
					return err
				}
				if found += len(objects); len(objects) > 0 {
					after = objects[len(objects)-1].Address.String()
				}
			}
			return held(found == pools, "%d pools", found)
		})},
		{"difference of a run", int64(few), timed(few, func(ctx context.Context, random *rand.Rand) error {
			at := revision(random) / perRun * perRun
			found, _, err := history.Diff(ctx, reader, at-1, min(at+perRun, size)-1, "", 2*perRun)
			if err != nil {
				return err
			}
			return held(len(found) > 0, "nothing differs at %d", at)
		})},
		{"blame", int64(n), timed(n, func(ctx context.Context, random *rand.Rand) error {
			_, attributes, err := history.Blame(ctx, reader, pool(random), revision(random))
			if err != nil {
				return err
			}
			return held(len(attributes) > 0, "no attributes")
		})},
		{"newest 50 of an object", int64(n), timed(n, func(ctx context.Context, random *rand.Rand) error {
			rows, err := reader.Entries(ctx, control.Query{Resource: pool(random).String(), Limit: newest})
			if err != nil {
				return err
			}
			return held(len(rows) == newest, "%d entries", len(rows))
		})},
	}
}

// held is an error unless what was asked for was found: nothing is quick to find.
func held(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
