// Command log measures the audited write path through the real runtime: changes
// a second and their latency with few and many writers, beside what the disk's
// fdatasync can do; how long a start takes on the log that results; and how
// fast verify reads it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/internal/devruntime"
)

func main() {
	bin := flag.String("bin", "bin", "directory of the built programs")
	out := flag.String("out", "", "write the result as JSON to this file")
	window := flag.Duration("window", 5*time.Second, "length of each measurement")
	rounds := flag.Int("rounds", 3, "rounds; each measures every number of writers in turn")
	crawlers := flag.Int("crawlers", 8, "clients that read the whole log, tile by tile, in a further measurement of each round")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *bin, *out, *window, *rounds, *crawlers)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "log:", err)
		os.Exit(1)
	}
}

// Result is what a run measured. Rates are medians over the rounds.
type Result struct {
	Writers []WriterResult `json:"writers"`
	Crawls  []CrawlResult  `json:"crawls"`
	// Entries is the length of the log when it was started again and verified.
	Entries int64 `json:"entries"`
	// StartMillis is the time of `auditlb dev` from its start to its first answer.
	StartMillis int64 `json:"start_ms"`
	// VerifyPerSecond is entries a second, deep, on one core.
	VerifyPerSecond int64 `json:"verify_per_second"`
}

// WriterResult is what a number of concurrent writers achieved.
type WriterResult struct {
	Writers   int     `json:"writers"`
	PerSecond float64 `json:"changes_per_second"`
	// PerSync is changes a second over the disk's syncs a second in the same round.
	PerSync   float64 `json:"per_fdatasync"`
	P50Millis float64 `json:"p50_ms"`
	P99Millis float64 `json:"p99_ms"`
}

func run(ctx context.Context, bin, out string, window time.Duration, rounds, crawlers int) error {
	dir, err := os.MkdirTemp("", "auditlb-bench-log-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(bin, "auditlb")
	r, err := devruntime.Start(ctx, program, dir)
	if err != nil {
		return err
	}
	counts := []int{1, 10, 50}
	samples := map[int][]WriterResult{}
	result := Result{}
	for round := range rounds {
		syncs, err := syncRate(dir, window/5)
		if err != nil {
			return err
		}
		for _, n := range counts {
			w, err := write(ctx, r, n, window, round)
			if err != nil {
				return err
			}
			w.PerSync = w.PerSecond / syncs
			samples[n] = append(samples[n], w)
			fmt.Printf("round %d: %2d writers: %6.0f changes/s, %.2f per fdatasync, p50 %.1f ms, p99 %.1f ms\n", round+1, n, w.PerSecond, w.PerSync, w.P50Millis, w.P99Millis)
		}
		if crawlers == 0 {
			continue
		}
		crawled, err := besideCrawlers(ctx, r, crawlers, window, round, samples[crawlWriters][round])
		if err != nil {
			return err
		}
		result.Crawls = append(result.Crawls, crawled)
		fmt.Printf("round %d: %2d writers beside %d crawlers: %.2f of the changes/s, %.0f tiles/s, %.1f MB/s, %.0f%% told to come back\n",
			round+1, crawlWriters, crawlers, crawled.Ratio, crawled.TilesPerSecond, crawled.BytesPerSecond/1e6, 100*crawled.Busy)
	}
	for _, n := range counts {
		result.Writers = append(result.Writers, median(samples[n]))
	}
	r.Stop()

	// The same log again: how long does a start take, how fast is verify?
	began := time.Now()
	if r, err = devruntime.Start(ctx, program, dir); err != nil {
		return err
	}
	result.StartMillis = time.Since(began).Milliseconds()
	began = time.Now()
	report, err := exec.CommandContext(ctx, program, "verify", "--data-dir", r.DataDir, "-o", "json").Output()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	took := time.Since(began)
	r.Stop()
	var verified struct {
		Size int64 `json:"size"`
	}
	if err := json.Unmarshal(report, &verified); err != nil {
		return err
	}
	result.Entries = verified.Size
	result.VerifyPerSecond = int64(float64(verified.Size) / took.Seconds())
	fmt.Printf("%d entries: start %d ms, verify %d entries/s\n", result.Entries, result.StartMillis, result.VerifyPerSecond)
	if out == "" {
		return nil
	}
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}

// crawlWriters is how many write while crawlers read.
const crawlWriters = 10

// besideCrawlers writes while the log is crawled, and compares with what was
// written in the same round without.
func besideCrawlers(ctx context.Context, r *devruntime.Runtime, crawlers int, window time.Duration, round int, alone WriterResult) (CrawlResult, error) {
	stop, err := crawl(ctx, r, crawlers)
	if err != nil {
		return CrawlResult{}, err
	}
	w, err := write(ctx, r, crawlWriters, window, round)
	crawled := stop()
	crawled.Ratio = w.PerSecond / alone.PerSecond
	return crawled, err
}

// write lets n writers change a pool each, over and over, for a window.
func write(ctx context.Context, r *devruntime.Runtime, n int, window time.Duration, round int) (WriterResult, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, window)
	defer cancel()
	var mu sync.Mutex
	var latencies []time.Duration
	var failed atomic.Value
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			name := fmt.Sprintf("bench-%d", i)
			for k := 0; ctx.Err() == nil; k++ {
				began := time.Now()
				err := put(ctx, client, r, name, round*1000+k)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					failed.CompareAndSwap(nil, err)
					cancel()
					return
				}
				mu.Lock()
				latencies = append(latencies, time.Since(began))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return WriterResult{}, err
	}
	slices.Sort(latencies)
	at := func(q float64) float64 {
		return float64(latencies[int(q*float64(len(latencies)-1))].Microseconds()) / 1000
	}
	return WriterResult{
		Writers: n, PerSecond: float64(len(latencies)) / window.Seconds(), P50Millis: at(.5), P99Millis: at(.99),
	}, nil
}

// put changes the pool's only member's weight and a label, so that no change is
// like the one before.
func put(ctx context.Context, client *http.Client, r *devruntime.Runtime, name string, k int) error {
	body := fmt.Sprintf(`{"owner":"bench","labels":{"n":"%d"},"members":{"a":{"address":"127.0.0.1:9","weight":%d}}}`, k, k%256+1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.Endpoint+"/v1/pools/"+name, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	req.Header.Set("Auditlb-Change-Ticket", r.Ticket)
	req.Header.Set("Content-Type", "application/json")
	if k == 0 {
		req.Header.Set("If-None-Match", "*")
	} else {
		req.Header.Set("If-Match", "*")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusPreconditionFailed {
		err = fmt.Errorf("PUT %s: %s: %s", name, resp.Status, text)
	}
	return err
}

// syncRate is how often a second the disk syncs a small append.
func syncRate(dir string, window time.Duration) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	n, began := 0, time.Now()
	for ; time.Since(began) < window; n++ {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

func median(samples []WriterResult) WriterResult {
	slices.SortFunc(samples, func(a, b WriterResult) int { return int(a.PerSecond - b.PerSecond) })
	return samples[len(samples)/2]
}
