// Command verify measures the verification of a log, the proofs that are made
// from it and the answers it gives. It makes a log of realistic entries through the store, in a
// directory that is used again when it holds one, and then measures in rounds,
// in each of them everything once:
//
//   - the floor: what SQLite takes to hand over the headers, or whole rows, and
//     nothing is done with them;
//   - verification to each depth, with one job and with two;
//   - proofs of inclusion and of consistency;
//   - questions about the past: the state at a time, what a run changed, blame,
//     the newest entries of an object.
//
// What counts is CPU time, which is comparable while other programs run, though
// not untouched by them: cores that share caches and clocks slow each other
// down. How much of the machine others used is measured too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// settings are what the command line says.
type settings struct {
	dir, out       string
	entries        int64
	rounds, proofs int
	only           string
}

func main() {
	var s settings
	flag.StringVar(&s.dir, "dir", "", "directory of the log, made when it is empty; without one a temporary directory")
	flag.StringVar(&s.out, "out", "", "write the result as JSON to this file")
	flag.Int64Var(&s.entries, "entries", 1_000_000, "entries of a log that is made")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds; each measures everything once")
	flag.IntVar(&s.proofs, "proofs", 2000, "proofs and questions of each kind in a round")
	flag.StringVar(&s.only, "only", "", "measure only what has this in its name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

// heapFloorBytes is what the auditlb command adds to the heap by which the garbage
// collector paces itself.
const heapFloorBytes = 16 << 20

func run(ctx context.Context, s settings) error {
	block := make([]byte, heapFloorBytes)
	defer runtime.KeepAlive(&block)
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "auditlb-bench-verify-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.dir = dir
	}
	verifier, err := makeLog(ctx, s.dir, s.entries)
	if err != nil {
		return err
	}
	result, err := measure(ctx, s, verifier)
	if err != nil {
		return err
	}
	result.print(os.Stdout)
	if s.out == "" {
		return nil
	}
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.out, append(b, '\n'), 0o644)
}

func measure(ctx context.Context, s settings, verifier note.Verifier) (Result, error) {
	reader, err := sqlite.OpenReader(s.dir)
	if err != nil {
		return Result{}, err
	}
	defer reader.Close()
	extent, err := reader.Extent(ctx)
	if err != nil {
		return Result{}, err
	}
	if extent.Size == 0 {
		return Result{}, errors.New("the log is empty")
	}
	info, err := os.Stat(filepath.Join(s.dir, sqlite.FileName))
	if err != nil {
		return Result{}, err
	}
	result := Result{Entries: extent.Size, BytesPerEntry: info.Size() / extent.Size}
	cases := casesOf(s.dir, reader, verifier, extent.Size, s.proofs)
	for round := range s.rounds {
		for _, c := range cases {
			if !c.selected(s.only) {
				continue
			}
			sample, err := c.sample(ctx)
			if err != nil {
				return Result{}, fmt.Errorf("%s: %w", c.name, err)
			}
			result.add(c, sample)
			fmt.Printf("round %d: %-22s %s\n", round+1, c.name, sample)
		}
	}
	return result, nil
}
