package load

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const wrkHead = `Running 2s test @ http://127.0.0.1:8080/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   138.03us  175.81us   4.27ms   95.65%
    Req/Sec    49.71k    20.90k   78.29k    70.00%
  Latency Distribution
     50%  104.00us
     75%  167.00us
     90%  222.00us
     99%    1.25ms
`

func TestWrksOutputIsUnderstood(t *testing.T) {
	for _, test := range []struct {
		name, out string
		want      Result
	}{
		{
			"all is well",
			wrkHead + "  49429 requests in 2.10s, 7.16MB read\nRequests/sec:  49418.08\nTransfer/sec:      7.16MB\n",
			Result{Requests: 49429, Took: 2100 * time.Millisecond, P99: 1250 * time.Microsecond},
		},
		{
			"other statuses",
			wrkHead + "  16080 requests in 2.00s, 4.74MB read\n  Non-2xx or 3xx responses: 80\nRequests/sec: 1\n",
			Result{Requests: 16000, Failed: 80, Failures: "Non-2xx or 3xx responses: 80", Took: 2 * time.Second, P99: 1250 * time.Microsecond},
		},
		{
			"connections that failed",
			wrkHead + "  16080 requests in 2.00s, 4.74MB read\n  Socket errors: connect 1, read 20, write 300, timeout 4000\n",
			Result{Requests: 16080, Failed: 4321, Failures: "Socket errors: connect 1, read 20, write 300, timeout 4000", Took: 2 * time.Second, P99: 1250 * time.Microsecond},
		},
		{
			"a server that is slow", // units of one letter are filled up with a space
			strings.Replace(wrkHead, "1.25ms", "1.00s ", 1) + "  16080 requests in 1.00m , 4.74MB read\n",
			Result{Requests: 16080, Took: time.Minute, P99: time.Second},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseWrk(test.out)
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestWrksOutputWithoutFiguresIsAnError(t *testing.T) {
	for name, out := range map[string]string{
		"nothing":       "unable to connect to 127.0.0.1:8080 Connection refused\n",
		"no percentile": "  49429 requests in 2.10s, 7.16MB read\n",
		"no requests":   wrkHead,
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := parseWrk(out); err == nil {
				t.Errorf("got %+v", r)
			}
		})
	}
}

const h2loadOut = `starting benchmark...
TLS Protocol: TLSv1.3
Application protocol: h2
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 2.00s, 2000.00 req/s, 277.60KB/s
requests: 4000 total, 4012 started, 4000 done, 3990 succeeded, 10 failed, 3 errored, 0 timeout
status codes: 3990 2xx, 0 3xx, 0 4xx, 7 5xx
`

func TestH2loadsOutputIsUnderstood(t *testing.T) {
	got, err := parseH2load(h2loadOut)
	want := Result{Requests: 3990, Failed: 10, Failures: "status codes: 3990 2xx, 0 3xx, 0 4xx, 7 5xx; 3 errored", Took: 2 * time.Second}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestAFallBackToHTTP1IsNoHTTP2(t *testing.T) {
	out := strings.Replace(h2loadOut, "Application protocol: h2", "Application protocol: http/1.1", 1)
	if _, err := parseH2load(out); !errors.Is(err, ErrNoHTTP2) {
		t.Errorf("error = %v, want %v", err, ErrNoHTTP2)
	}
}

func TestH2loadsPercentileIsOfItsLog(t *testing.T) {
	var log strings.Builder
	for range 98 {
		log.WriteString("1795594343305407\t200\t171\n")
	}
	log.WriteString("1795594343305409\t200\t500\n1795594343305410\t200\t9000\n")
	got, err := h2loadP99(strings.NewReader(log.String()))
	if want := 500 * time.Microsecond; err != nil || got != want {
		t.Errorf("p99 = %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"1 200\n", "1 200 fast\n"} {
		if p99, err := h2loadP99(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: p99 = %v", bad, p99)
		}
	}
}

func TestAPercentileIsOneOfTheValues(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3}
	for _, test := range []struct {
		share float64
		want  time.Duration
	}{{0, 1}, {0.5, 3}, {0.99, 4}, {1, 5}} {
		if got := percentile(values, test.share); got != test.want {
			t.Errorf("percentile(%v) = %v, want %v", test.share, got, test.want)
		}
	}
	if got := percentile(nil, 0.99); got != 0 {
		t.Errorf("percentile of nothing = %v", got)
	}
}
