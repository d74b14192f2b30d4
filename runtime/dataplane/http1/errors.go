package http1

import "net/http"

// ParseError says why a message was refused. Every error of this package is one of
// a fixed set of values, so refusing allocates nothing, and no error repeats what
// was received. After an error the connection can't be used: where the next message
// begins is unknown.
type ParseError struct {
	// Status is what a client is answered: 400, 414, 417, 431, 501 or 505. A
	// response of a member that can't be parsed is a 502 whatever stands here.
	Status int
	Detail string
}

// Error implements error.
func (e *ParseError) Error() string { return e.Detail }

func malformed(detail string) *ParseError { return &ParseError{http.StatusBadRequest, detail} }

var (
	errTargetTooLong = &ParseError{http.StatusRequestURITooLong, "request line is too long"}
	errHeadTooLarge  = &ParseError{http.StatusRequestHeaderFieldsTooLarge, "head is too large"}
	errFieldCount    = &ParseError{http.StatusRequestHeaderFieldsTooLarge, "too many fields"}
	errVersion       = &ParseError{http.StatusHTTPVersionNotSupported, "version is neither HTTP/1.0 nor HTTP/1.1"}
	errCoding        = &ParseError{http.StatusNotImplemented, "transfer coding other than chunked"}
	errExpectation   = &ParseError{http.StatusExpectationFailed, "expectation other than 100-continue"}

	errHeadEnd     = malformed("head does not end with an empty line, or a line ends without CRLF")
	errRequestLine = malformed("malformed request line")
	errStatusLine  = malformed("malformed status line")
	errMethod      = malformed("malformed method")

	errTarget       = malformed("malformed request target")
	errTargetForm   = malformed("request target has no form that the method allows")
	errPathEscape   = malformed("incomplete escape in the path")
	errHost         = malformed("malformed Host or authority")
	errHostCount    = malformed("HTTP/1.1 needs exactly one Host")
	errHostMismatch = malformed("Host differs from the authority of the request target")

	errFieldName   = malformed("malformed field name")
	errFieldSpace  = malformed("white space before the colon of a field")
	errFieldFolded = malformed("folded field line")
	errFieldValue  = malformed("control character in a field value, or a line ends without CRLF")
	errDisguised   = malformed("framing field spelled with an underscore")

	errLength         = malformed("malformed Content-Length")
	errLengthCount    = malformed("more than one Content-Length")
	errLengthCoded    = malformed("Content-Length beside Transfer-Encoding")
	errCodingOld      = malformed("Transfer-Encoding in HTTP/1.0")
	errCodingSyntax   = malformed("malformed Transfer-Encoding")
	errFramedBodyless = malformed("interim response with content")

	errConnection   = malformed("malformed Connection")
	errOptions      = malformed("too many connection options")
	errUpgrade      = malformed("malformed Upgrade")
	errNoUpgrade    = malformed("101 without Upgrade")
	errTrailerNames = malformed("malformed Trailer, or it names a framing field")

	errChunkSize      = malformed("malformed chunk size")
	errChunkEnd       = malformed("chunk does not end with CRLF")
	errChunkExtension = malformed("malformed chunk extension")
	errExtensionBytes = malformed("chunk extensions outweigh the data")
	errTrailerBytes   = &ParseError{http.StatusRequestHeaderFieldsTooLarge, "trailer section is too large"}
)
