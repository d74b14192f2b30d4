package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/internal/devruntime"
)

// CrawlResult is what crawlers of the log cost, measured with 10 writers.
type CrawlResult struct {
	Crawlers int `json:"crawlers"`
	// Ratio is changes a second with crawlers over changes a second without, in the
	// same round.
	Ratio float64 `json:"ratio"`
	// TilesPerSecond and BytesPerSecond are what they read.
	TilesPerSecond float64 `json:"tiles_per_second"`
	BytesPerSecond float64 `json:"bytes_per_second"`
	// Busy is the share of their calls that was told to come back.
	Busy float64 `json:"busy"`
}

// crawl has n clients read every tile and bundle of the log, over and over, until
// stop is called.
func crawl(ctx context.Context, r *devruntime.Runtime, n int) (stop func() CrawlResult, err error) {
	size, err := logSize(ctx, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	var read, busy, bytes atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for i := range n {
		all.Go(func() {
			for tile := int64(i); ctx.Err() == nil; tile++ {
				index := fmt.Sprintf("%03d", tile%(size/256))
				path := "/tlog/tile/0/" + index
				if tile%2 == 1 {
					path = "/tlog/tile/entries/" + index
				}
				status, length, err := get(ctx, client, r, path)
				switch {
				case err != nil:
				case status == http.StatusOK:
					read.Add(1)
					bytes.Add(length)
				case status == http.StatusServiceUnavailable:
					busy.Add(1)
				}
			}
		})
	}
	return func() CrawlResult {
		cancel()
		all.Wait()
		client.CloseIdleConnections()
		took := time.Since(began).Seconds()
		return CrawlResult{
			Crawlers: n, TilesPerSecond: float64(read.Load()) / took, BytesPerSecond: float64(bytes.Load()) / took,
			Busy: float64(busy.Load()) / float64(max(1, read.Load()+busy.Load())),
		}
	}, nil
}

func get(ctx context.Context, client *http.Client, r *devruntime.Runtime, path string) (status int, length int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Endpoint+path, nil)
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	resp, err := client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	length, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, length, err
}

// logSize is the size that the log's checkpoint signs.
func logSize(ctx context.Context, r *devruntime.Runtime) (size int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Endpoint+"/tlog/checkpoint", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 2 {
		return 0, fmt.Errorf("not a checkpoint: %q", text)
	}
	_, err = fmt.Sscan(lines[1], &size)
	if err == nil && size < 256 {
		err = fmt.Errorf("the log has %d entries: too few to crawl", size)
	}
	return size, err
}
