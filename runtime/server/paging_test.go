package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// pages follows a list to its end and returns what key says of each item.
func pages[L any](t *testing.T, r *rig, path string, items func(L) (keys []string, next string)) []string {
	t.Helper()
	var all []string
	for cursor, n := "", 0; ; n++ {
		var list L
		r.must(t, &list, http.MethodGet, path+cursor, nil)
		keys, next := items(list)
		all = append(all, keys...)
		if next == "" {
			return all
		}
		if n > 100 {
			t.Fatalf("%s has no end", path)
		}
		cursor = "&cursor=" + next
	}
}

func TestPagesLoseAndRepeatNothing(t *testing.T) {
	r := start(t)
	for i := range 7 {
		r.create(t, fmt.Sprintf("pool/p%d", i), pool())
		r.must(t, nil, http.MethodPut, fmt.Sprintf("/v1/runs/r%d", i), `{"system":"x"}`)
		r.open(t, api.TicketRequest{})
	}
	entries := func(l api.EntryList) (keys []string, next string) {
		for _, e := range l.Items {
			keys = append(keys, fmt.Sprint(e.Seq))
		}
		return keys, l.Next
	}
	last := r.newest(t).Seq
	for _, limit := range []int{1, 2, 3, 7, 19, 20, 21, 50, 500} {
		all := pages(t, r, fmt.Sprintf("/v1/entries?limit=%d", limit), entries)
		if len(all) != int(last)+1 || all[0] != fmt.Sprint(last) || all[last] != "0" {
			t.Errorf("pages of %d: %d entries of %d: %v", limit, len(all), last+1, all)
		}
		pools := pages(t, r, fmt.Sprintf("/v1/pools?limit=%d", limit), func(l api.ObjectList) (keys []string, next string) {
			for _, o := range l.Items {
				keys = append(keys, o.Name)
			}
			return keys, l.Next
		})
		if strings.Join(pools, " ") != "p0 p1 p2 p3 p4 p5 p6" {
			t.Errorf("pages of %d: pools %v", limit, pools)
		}
		runs := pages(t, r, fmt.Sprintf("/v1/runs?limit=%d", limit), func(l api.RunList) (keys []string, next string) {
			for _, x := range l.Items {
				keys = append(keys, x.ID)
			}
			return keys, l.Next
		})
		if strings.Join(runs, " ") != "r6 r5 r4 r3 r2 r1 r0" {
			t.Errorf("pages of %d: runs %v", limit, runs)
		}
		tickets := pages(t, r, fmt.Sprintf("/v1/tickets?state=pending&limit=%d", limit), func(l api.TicketList) (keys []string, next string) {
			for _, x := range l.Items {
				keys = append(keys, x.ID)
			}
			return keys, l.Next
		})
		if slices.Sort(tickets); len(slices.Compact(tickets)) != 7 {
			t.Errorf("pages of %d: %d pending tickets", limit, len(tickets))
		}
	}
}

// Bodies may be large: a page ends early rather than grow without bound.
func TestPagesOfLargeObjectsAreCutShort(t *testing.T) {
	r := start(t)
	r.contract.underLoad = true
	var members []string
	host := strings.Repeat(strings.Repeat("x", 60)+".", 4)
	for i := range 3000 { // few and long: it is the bytes that count, and each is checked
		members = append(members, fmt.Sprintf(`"m%d":{"address":"%sexample:80"}`, i, host))
	}
	large := `{"owner":"x","members":{` + strings.Join(members, ",") + `}}`
	for i := range 12 {
		r.create(t, fmt.Sprintf("pool/p%02d", i), large)
	}
	var list api.EntryList
	if a := r.must(t, &list, http.MethodGet, "/v1/entries?limit=500&include=patch&type=apply", nil); len(a.body) > 24<<20 || list.Next == "" || len(list.Items) == 0 || len(list.Items) >= 12 {
		t.Errorf("%d bytes of %d entries, next %q", len(a.body), len(list.Items), list.Next)
	}
	var objects api.ObjectList
	if a := r.must(t, &objects, http.MethodGet, "/v1/pools?limit=500", nil); len(a.body) > 24<<20 || objects.Next == "" || len(objects.Items) == 0 || len(objects.Items) >= 12 {
		t.Errorf("%d bytes of %d objects, next %q", len(a.body), len(objects.Items), objects.Next)
	}
	all := pages(t, r, "/v1/entries?limit=500&type=apply", func(l api.EntryList) (keys []string, next string) {
		for _, e := range l.Items {
			keys = append(keys, e.Resource)
		}
		return keys, l.Next
	})
	if len(all) != 12 {
		t.Errorf("%d entries, want 12: %v", len(all), all)
	}
}
