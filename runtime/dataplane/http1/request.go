package http1

import "bytes"

// Request is the head of a request. Its slices point into the head it was parsed
// from. The zero value is ready; one that is used again keeps the memory of Fields.
type Request struct {
	Method []byte
	Target []byte // as received
	// Minor is that of HTTP/1.Minor: 0 or 1.
	Minor  uint8
	Fields []Field

	// Host is the authority that is asked for, as a client wrote it: host and
	// optional port. It is empty if HTTP/1.0 names none or Host is empty.
	Host []byte
	Form TargetForm
	// Path is as received, with its escapes. It is "/" for the absolute form without
	// path, "*" for a request about the server itself, and empty for CONNECT.
	Path []byte
	// Query is what follows the first "?", if HasQuery.
	Query    []byte
	HasQuery bool

	// Framing is one of NoBody, Length, Chunked.
	Framing Framing
	// ContentLength is the length of the body in bytes, or -1 for Chunked.
	ContentLength int64
	// KeepAlive: the client means to send another request (RFC 9112 §9.3).
	KeepAlive bool
	// ExpectContinue: the client waits for an interim response before it sends the
	// body (RFC 9110 §10.1.1).
	ExpectContinue bool
	// Upgrade is the value of the Upgrade field if HTTP/1.1 and Connection make it
	// count, else nil. It is a well-formed list.
	Upgrade []byte
	// TETrailers: the client takes trailer fields (RFC 9110 §10.1.4).
	TETrailers bool
}

// Parse parses a head that [HeadEnd] has found the end of. Its errors are of type
// [*ParseError], after which the request holds nothing of use.
func (r *Request) Parse(head []byte, lim Limits) error {
	*r = Request{Fields: r.Fields[:0]}
	if err := r.parse(head, lim); err != nil {
		return err
	}
	return nil
}

func (r *Request) parse(head []byte, lim Limits) *ParseError {
	if limit := lim.maxHeadBytes(); len(head) > limit {
		return TooLarge(head[:limit])
	}
	head = head[skipEmptyLines(head):]
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
	if err := s.read(r.Fields, false); err != nil {
		return err
	}
	if err := r.setHost(&s); err != nil {
		return err
	}
	if err := r.setFraming(&s); err != nil {
		return err
	}
	r.KeepAlive = s.keepsAlive(r.Minor)
	r.Upgrade = s.upgradeTo(r.Minor)
	r.TETrailers = s.teTrailers
	// HTTP/1.0 knows no expectations (RFC 9110 §10.1.1).
	if s.expectation != nil && r.Minor == 1 {
		if s.expects {
			return errExpectation
		}
		r.ExpectContinue = r.ContentLength != 0
	}
	return nil
}

// parseLine parses the request line (RFC 9112 §3) and returns what follows it.
func (r *Request) parseLine(head []byte) (rest []byte, err *ParseError) {
	i := 0
	for class[head[i]]&tokenByte != 0 {
		i++
	}
	if i == 0 || head[i] != ' ' {
		return nil, errMethod
	}
	r.Method = head[:i]
	i++
	start := i
	for class[head[i]]&targetByte != 0 {
		i++
	}
	if i == start || head[i] != ' ' {
		return nil, errTarget
	}
	r.Target = head[start:i]
	i++
	if r.Minor, err = parseVersion(head[i:], errRequestLine); err != nil {
		return nil, err
	}
	i += len("HTTP/1.1")
	if head[i] != '\r' || head[i+1] != '\n' {
		return nil, errRequestLine
	}
	return head[i+2:], r.parseTarget()
}

// setHost decides which authority is asked for (RFC 9112 §3.2 and §3.3).
func (r *Request) setHost(s *signals) *ParseError {
	if s.hosts > 1 || s.hosts == 0 && r.Minor == 1 {
		return errHostCount
	}
	if len(s.host) > 0 && !ValidAuthority(s.host) {
		return errHost
	}
	if r.Host == nil { // the target has none
		r.Host = s.host
	} else if s.hosts == 1 && !bytes.EqualFold(r.Host, s.host) {
		return errHostMismatch
	}
	return nil
}

// setFraming decides how long the body is (RFC 9112 §6.3).
func (r *Request) setFraming(s *signals) *ParseError {
	chunked, err := s.chunked(r.Fields, r.Minor)
	switch {
	case err != nil:
		return err
	case chunked:
		r.Framing, r.ContentLength = Chunked, -1
	case s.length >= 0:
		r.Framing, r.ContentLength = Length, s.length
	}
	return nil
}
