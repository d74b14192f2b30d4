package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

func TestWhoFailsTooOftenWaitsAndThenMayTryAgain(t *testing.T) {
	f, now := server.NewFailures(), time.Now()
	for i := range server.FailuresAtOnce {
		if wait := f.Blocked("a", now); wait != 0 {
			t.Fatalf("failure %d has to wait %s", i, wait)
		}
		f.Fail(now, "a")
	}
	for range 1000 { // failing on makes it no worse
		if wait := f.Blocked("a", now); wait != server.FailureEvery {
			t.Fatalf("has to wait %s, want %s", wait, server.FailureEvery)
		}
		f.Fail(now, "a")
	}
	if wait := f.Blocked("b", now); wait != 0 {
		t.Errorf("another one has to wait %s", wait)
	}
	if wait := f.Blocked("a", now.Add(server.FailureEvery-time.Millisecond)); wait == 0 {
		t.Error("may fail again too soon")
	}
	if wait := f.Blocked("a", now.Add(server.FailureEvery)); wait != 0 {
		t.Errorf("has to wait %s more after waiting", wait)
	}
}

// TestTheMemoryOfFailuresIsBounded: whoever comes from everywhere is forgotten, and
// takes nobody along who is being slowed down, unless everybody is.
func TestTheMemoryOfFailuresIsBounded(t *testing.T) {
	f, now := server.NewFailures(), time.Now()
	exhaust := func(source string) {
		for range server.FailuresAtOnce {
			f.Fail(now, source)
		}
	}
	for i := range 3 * server.MaxSources {
		f.Fail(now, fmt.Sprintf("source %d", i), fmt.Sprintf("token/%d", i))
		f.Record(fmt.Sprintf("source %d", i), now)
		if attempts, recorded := f.Held(); attempts > server.MaxSources || recorded > server.MaxSources {
			t.Fatalf("after %d sources %d and %d are remembered", i+1, attempts, recorded)
		}
	}
	// Looking through all of them is paid for by room for many.
	g := server.NewFailures()
	for i := range server.MaxSources + 1 {
		g.Fail(now, fmt.Sprintf("source %d", i))
	}
	if attempts, _ := g.Held(); attempts > server.MaxSources-server.MaxSources/10+1 {
		t.Errorf("room was made for %d at a time", server.MaxSources+1-attempts)
	}
	exhaust("a")
	now = now.Add(server.FailureEvery) // those who failed once are as good as new
	exhaust("a")
	for i := range server.MaxSources - 1 {
		f.Fail(now, fmt.Sprintf("later %d", i))
	}
	if f.Blocked("a", now) == 0 {
		t.Error("one who is slowed down was forgotten for one who is not")
	}
}

// TestWhatFailuresLeaveInTheLogIsBounded: by source, in all, and by time; what is
// left out is counted.
func TestWhatFailuresLeaveInTheLogIsBounded(t *testing.T) {
	f, now := server.NewFailures(), time.Now()
	count := func(source string, tries int) (recorded int) {
		for range tries {
			if _, ok := f.Record(source, now); ok {
				recorded++
			}
		}
		return recorded
	}
	if n := count("a", 1000); n != server.RecordedPerSource {
		t.Errorf("of 1000 failures of one source %d are recorded, want %d", n, server.RecordedPerSource)
	}
	if unrecorded, ok := f.Record("b", now); !ok || unrecorded != 1000-server.RecordedPerSource {
		t.Errorf("the next one that is recorded says %d, %t", unrecorded, ok)
	}
	all := server.RecordedPerSource + 1
	for i := range 100 {
		all += count(fmt.Sprintf("source %d", i), 10)
	}
	if all != server.RecordedAtOnce {
		t.Errorf("of all sources %d are recorded, want %d", all, server.RecordedAtOnce)
	}
	now = now.Add(server.RecordedEvery)
	if n := count("c", 10); n != 1 {
		t.Errorf("%d are recorded %s later, want 1", n, server.RecordedEvery)
	}
	now = now.Add(time.Hour)
	if n := count("a", 1000); n != server.RecordedPerSource {
		t.Errorf("%d of one source are recorded after an hour, want %d", n, server.RecordedPerSource)
	}
}
