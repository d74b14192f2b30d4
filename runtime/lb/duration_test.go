package lb

import (
	"strings"
	"testing"
	"time"
)

func TestDurationsHaveOneForm(t *testing.T) {
	for in, want := range map[string]string{
		"60s": "1m", "1m": "1m", "1m0s": "1m", "3600s": "1h", "90m": "1h30m", "1h0m0s": "1h", "1h1s": "1h0m1s", "10m": "10m", "20h": "20h", "100h": "100h",
		"1500ms": "1.5s", "0.25s": "250ms", "1000us": "1ms", "0s": "0s", "-60s": "-1m", "1ns": "1ns",
	} {
		d, err := ParseDuration(in)
		if err != nil || d.String() != want {
			t.Errorf("ParseDuration(%q) = %s, %v, want %s", in, d, err, want)
		}
	}
}

func TestDurationsRoundTrip(t *testing.T) {
	r := newRandom(t)
	for range 10_000 {
		d := Duration(r.Int64()) >> r.IntN(60)
		if r.IntN(2) == 0 {
			d = d / Duration(time.Second) * Duration(time.Second)
		}
		back, err := ParseDuration(d.String())
		if err != nil || back != d {
			t.Fatalf("%d is written %s and read as %d: %v", d, d, back, err)
		}
		if again := back.String(); again != d.String() {
			t.Fatalf("%s is written again as %s", d, again)
		}
	}
}

func TestWhatIsNoDuration(t *testing.T) {
	for _, in := range []string{"", "5", "0", "s", "1 s", "1d", "forever", "1m30", "0x1s", strings.Repeat("9", 100) + "h"} {
		var d Duration
		err := d.UnmarshalText([]byte(in))
		if err == nil || !strings.Contains(err.Error(), "write it with a unit") || len(err.Error()) > 150 {
			t.Errorf("%q: %v", in, err)
		}
	}
}
