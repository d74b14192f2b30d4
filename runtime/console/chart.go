package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Sizes of a figure, in pixels. Across, everything is in percent, so that a figure is as
// wide as there is room.
const (
	marksHeight = 30
	titleHeight = 24
	plotHeight  = 84
	panelGap    = 10
	ticksHeight = 22
)

// chart is a figure of panels above each other, over one span of time.
type chart struct {
	// ID begins the ids of the figure's elements.
	ID            string
	Title, Desc   string
	Height        int
	Panels        []panel
	Ticks         []tick
	Wide, Narrow  []mark
	TicksY, Stems int
	// Uncounted is how far from the left nothing was counted, in percent; "" is nowhere.
	Uncounted string

	since, until time.Time
}

// panel is one plot of a chart.
type panel struct {
	Title string
	// Text says in words what is to be seen.
	Text                string
	TitleY, PlotY, MidY int
	BaseY               int
	// Top and Middle are the labels of the scale.
	Top, Middle string
	Lines       []line
}

// line is one series in a panel. Its paths are of a box of 1000 by 100.
type line struct {
	// Class is how it looks, and Label what it is called.
	Class, Label string
	Path, Area   string
}

// Dash looks as the line does, beside its label.
func (l line) Dash() string {
	if l.Class == "client-errors" || l.Class == "p50" {
		return "┅"
	}
	return "━"
}

// tick is a time below a chart.
type tick struct{ X, Anchor, Label string }

// sample is one value of a line; NaN is none.
type sample struct {
	at    time.Time
	value float64
}

func newChart(id, title string, since, until time.Time) *chart {
	c := &chart{ID: id, Title: title, since: since, until: until, Height: marksHeight}
	c.Ticks = ticksOf(since, until)
	c.finish()
	return c
}

// finish puts what is below the panels in its place.
func (c *chart) finish() {
	c.Stems = c.Height
	c.TicksY = c.Height + 15
}

// percent is where a time is, from the left.
func (c *chart) percent(t time.Time) float64 {
	return 100 * float64(t.Sub(c.since)) / float64(c.until.Sub(c.since))
}

func (c *chart) x(t time.Time) string { return percentage(c.percent(t)) }

func percentage(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) + "%" }

// series is a line before its scale is known.
type plotted struct {
	class, label string
	samples      []sample
	filled       bool
}

// add adds a panel below the others. Unit writes a value of its scale.
func (c *chart) add(title, text string, unit func(float64) string, step time.Duration, lines ...plotted) {
	top := 0.0
	for _, l := range lines {
		for _, s := range l.samples {
			if !math.IsNaN(s.value) {
				top = max(top, s.value)
			}
		}
	}
	top = nice(top)
	p := panel{
		Title: title, Text: text, TitleY: c.Height + 15, PlotY: c.Height + titleHeight, Top: unit(top), Middle: unit(top / 2),
	}
	p.MidY, p.BaseY = p.PlotY+plotHeight/2, p.PlotY+plotHeight
	for _, l := range lines {
		drawn := line{Class: l.class, Label: l.label}
		drawn.Path, drawn.Area = c.draw(l, top, step)
		p.Lines = append(p.Lines, drawn)
	}
	c.Panels = append(c.Panels, p)
	c.Height = p.BaseY + panelGap
	c.finish()
}

// PlotHeight is that of each panel's plot.
func (c *chart) PlotHeight() int { return plotHeight }

// Plots is the height of all panels.
func (c *chart) Plots() int { return c.Height - marksHeight }

// Whole is the height of the figure.
func (c *chart) Whole() int { return c.Height + ticksHeight }

// draw makes the path of a line, with a gap wherever samples are further apart than a
// step, and the area below it.
func (c *chart) draw(l plotted, top float64, step time.Duration) (path, area string) {
	var line, fill strings.Builder
	var last sample
	var firstX, lastX float64
	open := false
	end := func() {
		if open && l.filled {
			fmt.Fprintf(&fill, "L%.1f 100L%.1f 100Z", lastX, firstX)
		}
		open = false
	}
	for _, s := range l.samples {
		if math.IsNaN(s.value) {
			end()
			continue
		}
		x, y := 10*c.percent(s.at.Add(step/2)), 100-100*s.value/top
		x = min(x, 1000)
		if open && s.at.Sub(last.at) > step {
			end()
		}
		command := "L"
		if !open {
			command, firstX = "M", x
			// So that a value between two gaps is seen at all.
			fmt.Fprintf(&line, "M%.1f %.1fh0", x, y)
		} else {
			fmt.Fprintf(&line, "L%.1f %.1f", x, y)
		}
		fmt.Fprintf(&fill, "%s%.1f %.1f", command, x, y)
		open, last, lastX = true, s, x
	}
	end()
	if !l.filled {
		return line.String(), ""
	}
	return line.String(), fill.String()
}

// nice is the end of a scale: 1, 2, 5 or such times a power of ten, at least v.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10} {
		if top := m * power; top >= v*0.999999 {
			return top
		}
	}
	return 10 * power
}

// tickSteps are the distances of ticks.
var tickSteps = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour,
}

// mostTicks fit below the narrowest chart.
const mostTicks = 5

func ticksOf(since, until time.Time) []tick {
	step := tickSteps[len(tickSteps)-1]
	for _, s := range tickSteps {
		if until.Sub(since) <= mostTicks*s {
			step = s
			break
		}
	}
	layout := "15:04"
	if step >= 12*time.Hour {
		layout = "Jan 2"
	}
	c := chart{since: since, until: until}
	var out []tick
	for t := since.UTC().Truncate(step).Add(step); t.Before(until); t = t.Add(step) {
		at := c.percent(t)
		anchor := "middle"
		switch {
		case at < 5:
			anchor = "start"
		case at > 95:
			anchor = "end"
		}
		label := t.Format(layout)
		if layout == "15:04" && t.Equal(t.Truncate(24*time.Hour)) {
			label = t.Format("Jan 2")
		}
		out = append(out, tick{percentage(at), anchor, label})
	}
	return out
}
