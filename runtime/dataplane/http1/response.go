package http1

import (
	"bytes"
	"net/http"
)

// Response is the head of a response. Its slices point into the head it was parsed
// from. The zero value is ready; one that is used again keeps the memory of Fields.
type Response struct {
	// Minor is that of HTTP/1.Minor: 0 or 1.
	Minor uint8
	// Status is from 100 to 599. Below 200 it is that of an interim response, and
	// another response follows, unless it is 101.
	Status int
	Reason []byte // may be empty
	Fields []Field

	Framing Framing
	// ContentLength is the length of the body in bytes, or -1 if it is not known from
	// the head. It is 0 for NoBody, whatever the length of a body would have been.
	ContentLength int64
	// KeepAlive: the connection can be used again after this response.
	KeepAlive bool
	// Upgrade is the value of the Upgrade field if HTTP/1.1 and Connection make it
	// count, else nil. It is a well-formed list; 101 has it.
	Upgrade []byte
}

// Parse parses a head that [HeadEnd] has found the end of, in answer to a request
// with the given method. Its errors are of type [*ParseError], after which the
// response holds nothing of use.
func (r *Response) Parse(head, requestMethod []byte, lim Limits) error {
	*r = Response{Fields: r.Fields[:0]}
	if err := r.parse(head, requestMethod, lim); err != nil {
		return err
	}
	return nil
}

func (r *Response) parse(head, requestMethod []byte, lim Limits) *ParseError {
	if len(head) > lim.maxHeadBytes() {
		return errHeadTooLarge
	}
	if !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		return errHeadEnd
	}
	rest, err := r.parseLine(head)
	if err != nil {
		return err
	}
	if r.Fields, err = parseFields(r.Fields, rest, lim.maxFields()); err != nil {
		return err
	}
	var s signals
	if err := s.read(r.Fields, true); err != nil {
		return err
	}
	r.KeepAlive = s.keepsAlive(r.Minor)
	r.Upgrade = s.upgradeTo(r.Minor)
	if r.Status == http.StatusSwitchingProtocols && r.Upgrade == nil {
		return errNoUpgrade
	}
	return r.setFraming(&s, requestMethod)
}

// parseLine parses the status line (RFC 9112 §4) and returns what follows it. The
// space before a missing reason phrase may be missing too.
func (r *Response) parseLine(head []byte) (rest []byte, err *ParseError) {
	if r.Minor, err = parseVersion(head, errStatusLine); err != nil {
		return nil, err
	}
	const code = len("HTTP/1.1 ")
	i := code + 3
	if len(head) < i+2 || head[code-1] != ' ' || !consists(head[code:i], digitByte) {
		return nil, errStatusLine
	}
	r.Status = int(head[code]-'0')*100 + int(head[code+1]-'0')*10 + int(head[code+2]-'0')
	if r.Status < 100 || r.Status > 599 {
		return nil, errStatusLine
	}
	if head[i] == ' ' {
		i++
		start := i
		i = valueEnd(head, i)
		r.Reason = head[start:i]
	}
	if head[i] != '\r' || head[i+1] != '\n' {
		return nil, errStatusLine
	}
	return head[i+2:], nil
}

// setFraming decides how long the body is (RFC 9112 §6.3).
func (r *Response) setFraming(s *signals, requestMethod []byte) *ParseError {
	if string(requestMethod) == "CONNECT" && r.Status/100 == 2 {
		return nil // a tunnel follows, whatever the fields say
	}
	chunked, err := s.chunked(r.Fields, r.Minor)
	if err != nil {
		return err
	}
	switch {
	case r.Status < 200:
		if chunked || s.length > 0 {
			return errFramedBodyless
		}
		r.dropLength()
	case r.Status == http.StatusNoContent:
		// RFC 9112 §6.1 and RFC 9110 §8.6 forbid a member to announce content here;
		// one that does may also send it.
		r.KeepAlive = r.KeepAlive && !chunked && s.length <= 0
		r.dropLength()
	case r.Status == http.StatusNotModified, string(requestMethod) == http.MethodHead:
	case chunked:
		r.Framing, r.ContentLength = Chunked, -1
	case s.length >= 0:
		r.Framing, r.ContentLength = Length, s.length
	default:
		r.Framing, r.ContentLength, r.KeepAlive = UntilClose, -1, false
	}
	return nil
}

// dropLength keeps Content-Length from being forwarded where it is forbidden.
func (r *Response) dropLength() {
	for i := range r.Fields {
		if f := &r.Fields[i]; f.ID == ContentLength {
			f.Hop = true
		}
	}
}
