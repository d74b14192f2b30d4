package console

import (
	"strconv"
	"strings"
	"time"
)

// short writes a number with three digits at most after what it begins with.
func short(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// perSecond writes a rate: 0.03, 12.5, 480, 12.4k.
func perSecond(v float64) string {
	switch {
	case v >= 1e6:
		return short(v/1e6, 1) + "M"
	case v >= 1e4:
		return short(v/1e3, 1) + "k"
	case v >= 100:
		return short(v, 0)
	case v >= 10:
		return short(v, 1)
	case v >= 1:
		return short(v, 2)
	}
	return short(v, 3)
}

// seconds writes a time that is given in seconds: 0.3 ms, 42 ms, 1.5 s.
func seconds(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v >= 1:
		return short(v, 1) + " s"
	case v >= .01:
		return short(v*1e3, 0) + " ms"
	case v >= .001:
		return short(v*1e3, 1) + " ms"
	}
	return short(v*1e3, 2) + " ms"
}

// size writes a number of bytes.
func size(v float64) string {
	for _, unit := range []string{" B", " KB", " MB", " GB"} {
		if v < 1000 {
			digits := 0
			if v < 10 && unit != " B" {
				digits = 1
			}
			return short(v, digits) + unit
		}
		v /= 1000
	}
	return short(v, 1) + " TB"
}

// percent writes a share: 0%, 0.02%, 12%.
func percent(share float64) string {
	switch v := 100 * share; {
	case v >= 10:
		return short(v, 0) + "%"
	case v >= .01 || v == 0:
		return short(v, 2) + "%"
	}
	return "<0.01%"
}

// lasting writes a whole number of seconds: 30 seconds, 3 minutes, 1 hour.
func lasting(n int) string {
	d := time.Duration(n) * time.Second
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return count(int(d/time.Hour), "hour")
	case d >= time.Minute && d%time.Minute == 0:
		return count(int(d/time.Minute), "minute")
	}
	return count(n, "second")
}
