package server

import (
	"bytes"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// maxSearched bounds the entries that one page of a search looks at. Tests lower it.
var maxSearched = 5000

const (
	maxSearchedBytes = 32 << 20
	// searchedAtOnce are read with one query, where entries turn out to be small.
	searchedAtOnce = 200
	smallEntry     = 16 << 10
)

// search finds entries by a text in their header or body, in capitals or not. The text of
// values is matched as it is read, and as JSON writes it. A nil search finds every entry.
type search struct {
	text, escaped []byte
	// entries and size are what was looked at.
	entries, size int
}

func searchFor(text string) *search {
	if text == "" {
		return nil
	}
	s := &search{text: bytes.ToLower([]byte(text))}
	if escaped, err := lb.Canonical(text); err == nil {
		s.escaped = bytes.ToLower(escaped[1 : len(escaped)-1])
	}
	return s
}

// in reports whether an entry has the text.
func (s *search) in(row *audit.Row) bool {
	if s == nil {
		return true
	}
	s.entries++
	s.size += len(row.Leaf) + len(row.Body)
	for _, part := range [][]byte{row.Leaf, row.Body} {
		part = bytes.ToLower(part)
		if bytes.Contains(part, s.text) || len(s.escaped) > 0 && bytes.Contains(part, s.escaped) {
			return true
		}
	}
	return false
}

// ended reports whether a page has looked at enough.
func (s *search) ended() bool {
	return s != nil && (s.entries >= maxSearched || s.size >= maxSearchedBytes)
}

// atOnce is how many entries to read with one query, where n are wanted: most are only
// looked at.
func (s *search) atOnce(n int) int {
	switch {
	case s == nil:
		return n
	case s.entries == 0 || s.size/s.entries > smallEntry:
		return min(entriesAtOnce, maxSearched)
	}
	return min(searchedAtOnce, maxSearched)
}
