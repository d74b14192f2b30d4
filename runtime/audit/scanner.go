package audit

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// scanner goes over canonical JSON. Once something is not as it must be it is
// bad, and what it returns means nothing.
type scanner struct {
	b   []byte
	at  int
	bad bool
	// more is set when a comma must come before the next member.
	more bool
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.at < len(w) || string(s.b[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

func (s *scanner) open() {
	s.bad = s.bad || !s.word("{")
	s.more = false
}

func (s *scanner) close() {
	s.bad = s.bad || !s.word("}")
	s.more = true
}

// key reads a member's name, with its quotes and colon, if that comes next.
func (s *scanner) key(name string) bool {
	at := s.at
	if s.more && !s.word(",") || !s.word(name) {
		s.at = at
		return false
	}
	s.more = true
	return true
}

func (s *scanner) must(name string) bool {
	if !s.key(name) {
		s.bad = true
		return false
	}
	return true
}

func (s *scanner) text(name string) []byte {
	if !s.must(name) {
		return nil
	}
	return s.string()
}

// optional reads a member that is left out when it is empty.
func (s *scanner) optional(name string) []byte {
	if !s.key(name) {
		return nil
	}
	v := s.string()
	s.bad = s.bad || len(v) == 0
	return v
}

// yes reads a member that is left out when it is false.
func (s *scanner) yes(name string) {
	if s.key(name) && !s.word("true") {
		s.bad = true
	}
}

// positive reads a number that is left out when it is 0.
func (s *scanner) positive(name string) {
	if s.key(name) && s.integer() == 0 {
		s.bad = true
	}
}

// string reads a string without escapes.
func (s *scanner) string() []byte {
	if !s.word(`"`) {
		s.bad = true
		return nil
	}
	ascii := true
	for i := s.at; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			v := s.b[s.at:i]
			s.at = i + 1
			s.bad = s.bad || !ascii && !utf8.Valid(v)
			return v
		case c < ' ' || c == '\\':
			s.bad = true
			return nil
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.bad = true
	return nil
}

func (s *scanner) integer() int64 {
	begin := s.at
	var n int64
	for ; s.at < len(s.b) && '0' <= s.b[s.at] && s.b[s.at] <= '9' && n <= maxExact; s.at++ {
		n = 10*n + int64(s.b[s.at]-'0')
	}
	if s.at == begin || n > maxExact || s.b[begin] == '0' && s.at > begin+1 {
		s.bad = true
	}
	return n
}

// claims reads an object of strings whose names are ASCII, in order.
func (s *scanner) claims() {
	s.open()
	var last []byte
	for !s.bad && !s.word("}") {
		if s.more && !s.word(",") {
			s.bad = true
			return
		}
		name := s.string()
		for _, c := range name {
			s.bad = s.bad || c >= utf8.RuneSelf
		}
		if s.more && bytes.Compare(name, last) <= 0 || !s.word(":") {
			s.bad = true
			return
		}
		s.string()
		s.more, last = true, name
	}
	s.more = true
}

// time reads a time as canonical headers write it: RFC 3339, UTC, microseconds
// without zeros at the end.
func (s *scanner) time(v []byte) (micros int64) {
	micros, ok := parseTime(v)
	s.bad = s.bad || !ok
	return micros
}

func parseTime(v []byte) (micros int64, ok bool) {
	const layout = "2006-01-02T15:04:05"
	if len(v) < len(layout)+1 || v[len(v)-1] != 'Z' {
		return 0, false
	}
	for i, c := range []byte(layout) {
		if digit := '0' <= c && c <= '9'; digit != ('0' <= v[i] && v[i] <= '9') || !digit && c != v[i] {
			return 0, false
		}
	}
	two := func(i int) int { return int(v[i]-'0')*10 + int(v[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	if fraction := v[len(layout) : len(v)-1]; len(fraction) > 0 {
		if fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 7 || fraction[len(fraction)-1] == '0' {
			return 0, false
		}
		unit := int64(100_000)
		for _, c := range fraction[1:] {
			if c < '0' || c > '9' {
				return 0, false
			}
			micros += int64(c-'0') * unit
			unit /= 10
		}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t.Unix()*1_000_000 + micros, t.Day() == day
}
