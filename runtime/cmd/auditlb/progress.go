package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells of work that takes longer: on a terminal in one line, after a
// second; elsewhere in a line every ten seconds.
type progress struct {
	out io.Writer
	// verb is what is done to entries.
	verb     string
	terminal bool
	now      func() time.Time

	began, shown time.Time
	// first is how much was done when work began.
	first int64
	open  bool
}

func newProgress(out io.Writer, verb string) *progress {
	return &progress{out: out, verb: verb, terminal: isTerminal(out), now: time.Now}
}

// show is told entries done and in all.
func (p *progress) show(done, total int64) {
	now := p.now()
	if p.began.IsZero() {
		p.began, p.shown, p.first = now, now, done
		if p.terminal {
			p.shown = now.Add(800 * time.Millisecond)
		}
	}
	every := 10 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	line := fmt.Sprintf("%s %d of %d entries", p.verb, done, total)
	if rate := float64(done-p.first) / now.Sub(p.began).Seconds(); rate > 0 {
		left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
		line += fmt.Sprintf(", %.0f/s, %s left", rate, left)
	}
	if !p.terminal {
		fmt.Fprintln(p.out, line)
		return
	}
	p.open = true
	fmt.Fprintf(p.out, "\r%s\x1b[K", line)
}

// end closes the line.
func (p *progress) end() {
	if p.open {
		fmt.Fprintln(p.out)
	}
}
