package balance

import (
	"fmt"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var sizes = []int{10, 1000, lb.MaxMembers}

// mixed returns n weights from 1 to 256.
func mixed(n int) []int {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1 + i*37%lb.MaxWeight
	}
	return weights
}

func BenchmarkAcquire(b *testing.B) {
	for _, algorithm := range lb.Algorithms {
		for _, n := range sizes {
			for _, weights := range []struct {
				name string
				of   func(int) []int
			}{{"equal", alike}, {"mixed", mixed}} {
				b.Run(fmt.Sprintf("%s/%d/%s", algorithm, n, weights.name), func(b *testing.B) {
					bal := balancer(algorithm, weights.of(n)...)
					b.ReportAllocs()
					hash := uint64(0)
					for b.Loop() {
						hash++
						c, err := bal.Acquire(Request{Hash: hash, Hashed: true})
						if err != nil {
							b.Fatal(err)
						}
						bal.shares[c.Index].Member.Release()
					}
				})
			}
		}
	}
}

func BenchmarkAcquireParallel(b *testing.B) {
	for _, algorithm := range lb.Algorithms {
		b.Run(string(algorithm), func(b *testing.B) {
			bal := balancer(algorithm, alike(10)...)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				hash := uint64(0)
				for pb.Next() {
					hash++
					c, _ := bal.Acquire(Request{Hash: hash, Hashed: true})
					bal.shares[c.Index].Member.Release()
				}
			})
		})
	}
}

// BenchmarkRebuild is what a change of health costs the next choice.
func BenchmarkRebuild(b *testing.B) {
	for _, algorithm := range lb.Algorithms {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", algorithm, n), func(b *testing.B) {
				bal := balancer(algorithm, alike(n)...)
				for b.Loop() {
					bal.group.changes.Add(1)
					bal.rebuild(time.Now())
				}
			})
		}
	}
}

// BenchmarkNewBalancer is what a change of the pool's configuration costs.
func BenchmarkNewBalancer(b *testing.B) {
	for _, algorithm := range []lb.Algorithm{lb.RoundRobin, lb.RingHash, lb.Maglev} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", algorithm, n), func(b *testing.B) {
				shares := fill(new(Group), alike(n)...)
				for b.Loop() {
					new(Group).NewBalancer(Config{Algorithm: algorithm}, shares)
				}
			})
		}
	}
}
