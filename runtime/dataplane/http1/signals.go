package http1

import (
	"bytes"
	"math"
)

// maxOptions bounds the connection options of a message: each may have to be
// compared with every field.
const maxOptions = 16

// Framing says how long a message's content is (RFC 9112 §6.3).
type Framing uint8

// The kinds of framing.
const (
	// NoBody: nothing follows the head.
	NoBody Framing = iota
	// Length: as many bytes as Content-Length says, which may be none.
	Length
	// Chunked: a body in chunked coding, see [ChunkedReader].
	Chunked
	// UntilClose: all until the connection ends. Responses only.
	UntilClose
)

// signals is what the fields of a head say of its framing and its connection.
type signals struct {
	host       []byte
	hosts      int
	length     int64 // -1 without Content-Length
	lengthText []byte
	coding     []byte
	codings    int // fields
	options    int
	closes     bool // the option close, and so on
	persists   bool
	upgrades   bool
	// nominates: an option may name a field that is to be removed.
	nominates   bool
	upgrade     []byte
	protocols   int // Upgrade fields
	teTrailers  bool
	expectation []byte
	expects     bool // with an expectation other than 100-continue
}

// read gathers the signals of fields and marks those that Connection nominates. It
// holds what is the same in requests and responses.
func (s *signals) read(fields []Field, response bool) *ParseError {
	s.length = -1
	for i := range fields {
		f := &fields[i]
		var err *ParseError
		switch f.ID {
		case Host:
			s.host = f.Value
			s.hosts++
		case ContentLength:
			err = s.readLength(f, response)
		case TransferEncoding:
			if bytes.IndexByte(f.Name, '_') >= 0 {
				return errDisguised
			}
			s.coding = f.Value
			s.codings++
		case Connection:
			err = s.readConnection(f.Value)
		case Upgrade:
			s.upgrade = f.Value
			s.protocols++
			err = checkUpgrade(f.Value)
		case TE:
			s.teTrailers = s.teTrailers || listed(f.Value, "trailers")
		case Trailer:
			err = checkTrailer(f.Value)
		case Expect:
			s.expectation = f.Value
			s.expects = s.expects || !equalFold(f.Value, "100-continue")
		}
		if err != nil {
			return err
		}
	}
	if s.nominates {
		removeNominated(fields)
	}
	return nil
}

// readLength reads a Content-Length field (RFC 9110 §8.6). A response may repeat it
// to the letter; the first is forwarded.
func (s *signals) readLength(f *Field, response bool) *ParseError {
	if bytes.IndexByte(f.Name, '_') >= 0 {
		return errDisguised
	}
	n, ok := parseLength(f.Value)
	switch {
	case !ok:
		return errLength
	case s.length >= 0 && (!response || !bytes.Equal(f.Value, s.lengthText)):
		return errLengthCount
	}
	f.Hop = s.length >= 0
	s.length, s.lengthText = n, f.Value
	return nil
}

// parseLength parses 1*DIGIT into a number that fits an int64.
func parseLength(value []byte) (n int64, ok bool) {
	if !consists(value, digitByte) {
		return 0, false
	}
	for _, b := range value {
		d := int64(b - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// readConnection reads the options of a Connection field (RFC 9110 §7.6.1).
func (s *signals) readConnection(list []byte) *ParseError {
	for len(list) > 0 {
		var option []byte
		option, list = cutElement(list)
		if s.options++; s.options > maxOptions {
			return errOptions
		}
		switch {
		case len(option) == 0:
		case equalFold(option, "close"):
			s.closes = true
		case equalFold(option, "keep-alive"):
			s.persists = true
		case equalFold(option, "upgrade"):
			s.upgrades = true
		case !ValidFieldName(option):
			return errConnection
		default:
			s.nominates = true
		}
	}
	return nil
}

// removeNominated marks the fields that Connection names, but for those that are
// vital.
func removeNominated(fields []Field) {
	for i := range fields {
		if fields[i].ID != Connection {
			continue
		}
		for list := fields[i].Value; len(list) > 0; {
			var option []byte
			if option, list = cutElement(list); vital(option) {
				continue
			}
			for j := range fields {
				if f := &fields[j]; bytes.EqualFold(f.Name, option) {
					f.Hop = true
				}
			}
		}
	}
}

// checkUpgrade checks a list of protocols (RFC 9110 §7.8).
func checkUpgrade(list []byte) *ParseError {
	some := false
	for len(list) > 0 {
		var protocol []byte
		if protocol, list = cutElement(list); len(protocol) == 0 {
			continue
		}
		some = true
		name, version, versioned := bytes.Cut(protocol, []byte{'/'})
		if !ValidFieldName(name) || versioned && !ValidFieldName(version) {
			return errUpgrade
		}
	}
	if !some {
		return errUpgrade
	}
	return nil
}

// checkTrailer checks a list of names of trailer fields (RFC 9110 §6.6.2). To
// announce a framing field is an attempt to have one taken from the trailer section.
func checkTrailer(list []byte) *ParseError {
	for len(list) > 0 {
		var name []byte
		if name, list = cutElement(list); len(name) == 0 {
			continue
		}
		switch id := IDOf(name); {
		case !ValidFieldName(name), id == ContentLength, id == TransferEncoding, id == Trailer:
			return errTrailerNames
		}
	}
	return nil
}

// listed reports whether a list has an element, which is in lower case here.
func listed(list []byte, want string) bool {
	for len(list) > 0 {
		var element []byte
		if element, list = cutElement(list); equalFold(element, want) {
			return true
		}
	}
	return false
}

// chunked reports whether the body is chunked, in a message of HTTP/1.minor. Its
// errors tell a coding that exists from one that only wants to look like chunked to
// somebody else.
func (s *signals) chunked(fields []Field, minor uint8) (bool, *ParseError) {
	switch {
	case s.codings == 0:
		return false, nil
	case minor == 0:
		return false, errCodingOld
	case s.length >= 0:
		return false, errLengthCoded
	case s.codings == 1 && equalFold(s.coding, "chunked"):
		return true, nil
	}
	return false, explainCodings(fields)
}

// keepsAlive reports whether the connection persists after the message (RFC 9112
// §9.3).
func (s *signals) keepsAlive(minor uint8) bool { return !s.closes && (minor == 1 || s.persists) }

// upgradeTo returns the protocols that the message asks for or agrees to. Upgrade is
// to be ignored in HTTP/1.0, and without the option that makes it about this
// connection (RFC 9110 §7.8). Of several Upgrade fields none is taken.
func (s *signals) upgradeTo(minor uint8) []byte {
	if minor == 1 && s.upgrades && s.protocols == 1 {
		return s.upgrade
	}
	return nil
}
