package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// warmUp is a window that isn't measured: connections to the backend are opened,
// heaps grow to their size.
const warmUp = time.Second

// measured holds the samples of each subject by name, one a round.
type measured map[string][]sample

// column is one figure of a subject, in the order of rounds.
func (m measured) column(name string, figure func(sample) float64) []float64 {
	values := make([]float64, len(m[name]))
	for i, s := range m[name] {
		values[i] = figure(s)
	}
	return values
}

// noisy is how many windows stayed noisy however often they were taken.
func (m measured) noisy() int {
	n := 0
	for _, samples := range m {
		for _, s := range samples {
			if s.Others > quiet {
				n++
			}
		}
	}
	return n
}

// rounds takes a window of every subject in each round, in random order.
func (b *bench) rounds(ctx context.Context, c comparison, subjects []subject) (measured, error) {
	for _, s := range subjects {
		if _, err := b.take(ctx, s, c, warmUp); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	m := measured{}
	for round := range b.flags.rounds {
		order := slices.Clone(subjects)
		rand.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		for _, s := range order {
			taken, err := quietest(func() (sample, error) {
				taken, err := b.take(ctx, s, c, b.flags.window)
				if err == nil {
					fmt.Printf("  round %d of %d  %-16s %9.1f µs/%-9s %8.0f/s  p99 %7.2f ms%s\n",
						round+1, b.flags.rounds, s.name, taken.CPU, c.unit, taken.PerSecond, taken.P99, noise(taken))
				}
				return taken, err
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			m[s.name] = append(m[s.name], taken)
		}
	}
	return m, nil
}

func noise(s sample) string {
	if s.Others <= quiet {
		return ""
	}
	return fmt.Sprintf("  (others used %.0f%%)", 100*s.Others)
}
