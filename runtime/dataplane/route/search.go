package route

import "net/http"

// Request is what routes look at. It may be used again for other requests, by one
// goroutine at a time: it keeps buffers of about the size of the longest path or
// parameter that had to be decoded.
type Request struct {
	// Host as sent: with port, in any case; may be empty.
	Host []byte
	// Path as sent, percent-encoded and without query.
	Path []byte
	// Query as sent, without the question mark.
	Query []byte
	// Method as sent; methods are compared with case (RFC 9110 §9.1).
	Method []byte
	// Header gives access to the fields; nil is none.
	Header Header

	decodedPath  []byte
	decodedValue []byte
}

// Header is how a lookup sees the fields of a request.
type Header interface {
	// Next returns the value of the first field line called name at or behind
	// position from, and the position to go on from: -1 when there is none. Name is
	// in lower case; the first position is 0.
	Next(name string, from int) (value []byte, next int)
}

// RequestError says why a request must be refused.
type RequestError struct {
	Status int
	Detail string
}

// Error implements error.
func (e *RequestError) Error() string { return e.Detail }

// Bounds of what a lookup does for a client.
const (
	// MaxRegexInput is the longest decoded path, header value or query parameter, in
	// bytes, on which a regex is tried.
	MaxRegexInput = 8 << 10
	// MaxQueryParameters is the number of parameters a query may have when a route's
	// conditions on it are tried.
	MaxQueryParameters = 1_000
)

// Why [Table.Match] refuses a request. The last three arise only when what is too
// large stands between the request and the choice of its route.
var (
	ErrPathEncoding      = &RequestError{http.StatusBadRequest, "the path has malformed percent-encoding"}
	ErrPathTooLong       = &RequestError{http.StatusRequestURITooLong, "the path is too long"}
	ErrValueTooLong      = &RequestError{http.StatusRequestHeaderFieldsTooLarge, "a header field or query parameter is too long"}
	ErrTooManyParameters = &RequestError{http.StatusBadRequest, "the query has too many parameters"}
)

// search is one lookup under way.
type search struct {
	request *Request
	path    []byte // canonical
	top     int    // as in Table
	best    *Route
	err     error
	// counted is set once the number of query parameters is known to be in bounds.
	counted bool
}

// done reports whether nothing can change the outcome any more.
func (s *search) done() bool {
	return s.err != nil || s.best != nil && s.best.priority >= s.top
}

// in looks among the routes of one host pattern, from the more to the less specific
// path.
func (s *search) in(p *paths) {
	if p == nil || s.done() {
		return
	}
	if len(s.path) > 0 && s.path[0] == '/' {
		if p.literal != nil {
			s.literal(p.literal, s.path)
		}
		if p.regex != nil && !s.done() {
			s.regex(p.regex)
		}
	}
	if !s.done() {
		s.first(p.any)
	}
}

// literal looks below n first: what is deeper is more specific. Its depth is that of
// the configured paths.
func (s *search) literal(n *node, rest []byte) {
	if len(rest) == 0 {
		s.first(n.exact)
	} else {
		segment, below := cutSegment(rest)
		if child := n.children[string(segment)]; child != nil {
			s.literal(child, below)
		}
	}
	if !s.done() {
		s.first(n.prefix)
	}
}

// first takes the first route of a list that matches, if its priority is higher than
// that of what was found before.
func (s *search) first(routes []*Route) {
	for _, r := range routes {
		if s.best != nil && r.priority <= s.best.priority {
			return
		}
		if r.conditions.hold(s) {
			s.best = r
			return
		}
		if s.err != nil {
			return
		}
	}
}

// regex tries the regexes of all directories on the way down. They are equally
// specific, so the first in order wins, wherever it stands.
func (s *search) regex(n *node) {
	var found *Route
	for rest := s.path; n != nil; {
		for _, r := range n.prefix {
			if found != nil && compareRoutes(r, found) > 0 || s.best != nil && r.priority <= s.best.priority {
				break
			}
			holds := r.conditions.hold(s)
			if holds && len(s.path) > MaxRegexInput {
				s.err = ErrPathTooLong
			}
			if s.err != nil {
				return
			}
			if holds && r.regex.Match(s.path) {
				found = r
				break
			}
		}
		if len(rest) == 0 {
			break
		}
		var segment []byte
		segment, rest = cutSegment(rest)
		n = n.children[string(segment)]
	}
	if found != nil {
		s.best = found
	}
}
