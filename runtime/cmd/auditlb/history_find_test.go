package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// pagesOf serves pages of a search by their cursor; ask is called before each.
func pagesOf(t *testing.T, pages map[string]string, ask func(cursor string)) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Query().Get("cursor")]
		if r.URL.Path != "/v1/entries" || !ok {
			http.NotFound(w, r)
			return
		}
		ask(r.URL.Query().Get("cursor"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, page)
	}))
	t.Cleanup(srv.Close)
	t.Setenv("AUDITLB_ENDPOINT", srv.URL)
	t.Setenv("AUDITLB_TOKEN", "a-token")
}

const (
	nothingUpTo = `{"items":[],"next":"%d"}`
	entryUpTo   = `{"items":[{"v":1,"seq":%[1]d,"time":"2026-01-01T00:00:00Z","type":"apply","actor":{"name":"olivia"},"outcome":"ok","leaf_hash":""}],"next":"%[1]d"}`
)

func history(ctx context.Context, args ...string) (printed string, err error) {
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"history"}, args...))
	root.SetOut(&out)
	root.SetErr(&out)
	err = root.ExecuteContext(ctx)
	return out.String(), err
}

// TestHistoryGoesOnUntilItHasEnough: empty pages in between end nothing.
func TestHistoryGoesOnUntilItHasEnough(t *testing.T) {
	asked := 0
	pagesOf(t, map[string]string{
		"": fmt.Sprintf(nothingUpTo, 90), "90": fmt.Sprintf(entryUpTo, 80), "80": fmt.Sprintf(nothingUpTo, 70), "70": fmt.Sprintf(entryUpTo, 60), "60": `{"items":[]}`,
	}, func(string) { asked++ })
	printed, err := history(t.Context(), "--text", "x", "--limit", "2")
	if err != nil || asked != 4 || strings.Count(printed, "olivia") != 2 || !strings.Contains(printed, "There are more: --cursor 60") {
		t.Errorf("%d pages, %v\n%s", asked, err, printed)
	}
	if printed, err = history(t.Context(), "--text", "x", "--limit", "3"); err != nil || asked != 9 || strings.Contains(printed, "There are more") {
		t.Errorf("to the end: %d pages, %v\n%s", asked-4, err, printed)
	}
}

// TestHistorySaysHowFarItCameWhenItIsStopped, and shows what it found.
func TestHistorySaysHowFarItCameWhenItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	pagesOf(t, map[string]string{"": fmt.Sprintf(entryUpTo, 90), "90": fmt.Sprintf(nothingUpTo, 80), "80": fmt.Sprintf(nothingUpTo, 70)}, func(cursor string) {
		if cursor == "80" {
			stop()
		}
	})
	printed, err := history(ctx, "--text", "x")
	if report(err) != exitFailed || !strings.Contains(err.Error(), "searched back to entry 80; go on with --cursor 80") || strings.Count(printed, "olivia") != 1 {
		t.Errorf("%v\n%s", err, printed)
	}
}
