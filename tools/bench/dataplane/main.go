// Command dataplane measures auditlb's data plane beside other balancers: CPU
// time per request, throughput and latency, memory of idle connections, and what
// reloads do to clients.
//
//	make bench
//
// All balancers are up at once in front of the same backend, on this machine, and
// share its processors with the load. Windows of two seconds for each, in random
// order in each round, so that a slow minute of the machine falls on all; CPU
// times are from /proc. A window in which other programs used more than a tenth
// of the machine is taken again. What counts is the median of the rounds' ratios.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/proxy"
)

// flags are what the command line says.
type flags struct {
	bin, out    string
	before      string
	cases, only []string
	rounds      int
	window      time.Duration
	idle        int
	reloads     int
	pin         bool
}

// workers is how many processors a proxy may use.
func (f flags) workers() int {
	if f.pin {
		return 1
	}
	return runtime.NumCPU()
}

// The processors of the proxies, and of load and backend, with -pin.
const (
	pinnedProxy = 0
	pinnedLoad  = 1
)

func (f flags) proxyCPU() int {
	if f.pin {
		return pinnedProxy
	}
	return -1
}

func main() {
	f, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		err = run(ctx, f)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dataplane:", err)
		os.Exit(1)
	}
}

func parse(args []string) (flags, error) {
	var f flags
	var cases, only string
	set := flag.NewFlagSet("dataplane", flag.ContinueOnError)
	set.StringVar(&f.bin, "bin", "../bin", "where auditlb was built, and the peers are")
	set.StringVar(&f.out, "out", "bench/out/dataplane.json", "file for the result")
	set.StringVar(&f.before, "before", "", "another build of auditlb, to compare with as the peer \"before\"")
	set.StringVar(&cases, "cases", "", "cases to run, separated by commas (default all)")
	set.StringVar(&only, "only", "", "peers to compare with, separated by commas (default all)")
	set.IntVar(&f.rounds, "rounds", 5, "rounds of each comparison")
	set.DurationVar(&f.window, "window", 2*time.Second, "length of a window, in whole seconds")
	set.IntVar(&f.idle, "idle-connections", 10_000, "idle connections to open; each needs a file descriptor at both ends")
	set.IntVar(&f.reloads, "reloads", 300, "reloads of each proxy under load")
	set.BoolVar(&f.pin, "pin", false, fmt.Sprintf("bind proxies to processor %d, load and backend to %d", pinnedProxy, pinnedLoad))
	set.Usage = func() {
		usage(set)
	}
	if err := set.Parse(args); err != nil {
		return f, err
	}
	var err error
	if f.cases, err = choose("case", cases, caseNames()); err != nil {
		return f, err
	}
	if f.only, err = choose("peer", only, peers); err != nil {
		return f, err
	}
	switch {
	case f.before != "" && !filepath.IsAbs(f.before):
		return f, fmt.Errorf("-before %s must be an absolute path", f.before)
	case set.NArg() > 0:
		return f, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case f.rounds < 1 || f.idle < 1 || f.reloads < 1:
		return f, errors.New("-rounds, -idle-connections and -reloads must be at least 1")
	case f.window < time.Second || f.window%time.Second != 0:
		return f, fmt.Errorf("-window %v must be whole seconds", f.window)
	case f.pin && runtime.NumCPU() <= pinnedLoad:
		return f, errors.New("-pin needs two processors")
	}
	return f, nil
}

func usage(set *flag.FlagSet) {
	out := set.Output()
	fmt.Fprint(out, `Measure auditlb's data plane beside HAProxy, nginx, Caddy and net/http's ReverseProxy.

Usage, from the folder tools after make build:

  go run ./bench/dataplane [flags]

`)
	set.PrintDefaults()
	fmt.Fprintln(out, "\nCases:")
	for _, c := range comparisons {
		fmt.Fprintf(out, "  %-14s %s\n", c.name, c.about)
	}
	for _, c := range otherCases {
		fmt.Fprintf(out, "  %-14s %s\n", c.name, c.about)
	}
	fmt.Fprintf(out, `
Peers: %s

Needs, on Debian: apt-get install haproxy nginx libnginx-mod-stream wrk nghttp2-client

Examples:
  make bench
  go run ./bench/dataplane -cases http1-small,tcp -only haproxy,nginx
  go run ./bench/dataplane -cases http1-small -rounds 11 -pin
  go run ./bench/dataplane -cases http1-small -only nginx -before /tmp/auditlb
  go run ./bench/dataplane -cases reloads -reloads 50 -only nginx
`, strings.Join(peers, ", "))
}

// run runs the cases and writes what they came to. A case that fails does not
// keep the others from running; it fails the run at the end.
func run(ctx context.Context, f flags) error {
	if err := missing(needed(f.cases, f.only), func(name string) error { return installed(ctx, name) }); err != nil {
		return err
	}
	if err := build(ctx, f.bin, f.only); err != nil {
		return err
	}
	if f.pin {
		if err := proxy.BindSelf(pinnedLoad); err != nil {
			return err
		}
	}
	b, err := open(ctx, f)
	if b != nil {
		defer b.close()
	}
	if err != nil {
		return err
	}
	b.result = result{
		Time: time.Now().UTC(), CPUs: runtime.NumCPU(), Pinned: f.pin, Rounds: f.rounds, Window: f.window.Seconds(),
		Cases: []caseResult{}, Failed: map[string]string{},
	}
	if err := b.startAll(ctx); err != nil {
		return err
	}
	for i, name := range f.cases {
		fmt.Printf("\n%s (%d of %d)\n", name, i+1, len(f.cases))
		err := b.runCase(ctx, name)
		if ctx.Err() != nil {
			return errors.New("interrupted; everything is stopped")
		}
		if err != nil {
			fmt.Printf("  failed: %v\n", err)
			b.result.Failed[name] = err.Error()
		}
	}
	b.result.Goals = b.result.judge(f.cases)
	fmt.Print("\n", b.result.text())
	if err := b.result.write(f.out); err != nil {
		return err
	}
	if n := len(b.result.Failed); n > 0 {
		return fmt.Errorf("%d of %d cases were not measured", n, len(f.cases))
	}
	return nil
}
