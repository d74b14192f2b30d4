package route

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// conditions are what a route asks for besides host and path. What is empty holds.
type conditions struct {
	methods []string
	headers []condition
	query   []condition
}

// condition is about one header or query parameter.
type condition struct {
	name  string // of a header: in lower case
	match lb.MatchType
	value string
	regex wholeRegex
}

func compileConditions(m lb.RouteMatch) (conditions, error) {
	headers, headersErr := compileValues(m.Headers)
	for i := range headers {
		headers[i].name = strings.ToLower(headers[i].name)
	}
	query, queryErr := compileValues(m.Query)
	return conditions{m.Methods, headers, query}, errors.Join(headersErr, queryErr)
}

func compileValues(matches map[string]lb.ValueMatch) ([]condition, error) {
	var out []condition
	for name, m := range matches {
		c := condition{name: name, match: m.Type, value: m.Value}
		if c.match == "" {
			c.match = lb.DefaultMatchType
		}
		if c.match == lb.MatchRegex {
			var err error
			if c.regex, err = compileRegex(m.Value); err != nil {
				return nil, err
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// count is how specific the conditions are.
func (c *conditions) count() int {
	return min(1, len(c.methods)) + len(c.headers) + len(c.query)
}

func (c *conditions) hold(s *search) bool {
	return (len(c.methods) == 0 || c.hasMethod(s.request.Method)) &&
		c.headersHold(s) && c.queryHolds(s)
}

func (c *conditions) hasMethod(method []byte) bool {
	return slices.ContainsFunc(c.methods, func(m string) bool { return m == string(method) })
}

func (c *conditions) headersHold(s *search) bool {
	for i := range c.headers {
		if !c.headers[i].inHeader(s) {
			return false
		}
	}
	return true
}

func (c *condition) inHeader(s *search) bool {
	var value []byte
	next := -1
	if s.request.Header != nil {
		value, next = s.request.Header.Next(c.name, 0)
	}
	if c.match == lb.MatchAbsent {
		return next < 0
	}
	for next >= 0 {
		if c.met(s, value) {
			return true
		}
		value, next = s.request.Header.Next(c.name, next)
	}
	return false
}

// queryHolds reads a query as forms write it: parameters between "&", "+" for a space.
// Malformed percent-encoding means itself.
func (c *conditions) queryHolds(s *search) bool {
	if len(c.query) == 0 {
		return true
	}
	if !s.counted && bytes.Count(s.request.Query, []byte("&")) >= MaxQueryParameters {
		s.err = ErrTooManyParameters
		return false
	}
	s.counted = true
	for i := range c.query {
		if !c.query[i].inQuery(s) {
			return false
		}
	}
	return true
}

func (c *condition) inQuery(s *search) bool {
	for query := s.request.Query; len(query) > 0; {
		var parameter []byte
		parameter, query, _ = bytes.Cut(query, []byte("&"))
		if len(parameter) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(parameter, []byte("="))
		if string(s.request.decoded(name)) != c.name {
			continue
		}
		if c.match == lb.MatchAbsent {
			return false
		}
		if c.met(s, s.request.decoded(value)) {
			return true
		}
	}
	return c.match == lb.MatchAbsent
}

// decoded is a name or value of a query as it was meant, valid until the next call.
func (r *Request) decoded(encoded []byte) []byte {
	if bytes.IndexByte(encoded, '%') < 0 && bytes.IndexByte(encoded, '+') < 0 {
		return encoded
	}
	out := r.decodedValue[:0]
	for i := 0; i < len(encoded); i++ {
		c, ok := decodedByte(encoded[i:])
		switch {
		case encoded[i] == '+':
			out = append(out, ' ')
		case encoded[i] == '%' && ok:
			out = append(out, c)
			i += 2
		default:
			out = append(out, encoded[i])
		}
	}
	r.decodedValue = out
	return out
}

// met reports whether a value that is present meets the condition.
func (c *condition) met(s *search, value []byte) bool {
	switch c.match {
	case lb.MatchExact:
		return string(value) == c.value
	case lb.MatchPrefix:
		return len(value) >= len(c.value) && string(value[:len(c.value)]) == c.value
	case lb.MatchRegex:
		if len(value) > MaxRegexInput {
			s.err = ErrValueTooLong
			return false
		}
		return c.regex.Match(value)
	case lb.MatchPresent:
		return true
	}
	return false
}
