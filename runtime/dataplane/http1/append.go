package http1

import (
	"net/http"
	"strconv"
)

// AppendRequestLine appends the request line of an HTTP/1.1 request (RFC 9112 §3).
// The caller vouches for method and target.
func AppendRequestLine[M, T text](dst []byte, method M, target T) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine appends the status line of an HTTP/1.1 response (RFC 9112 §4)
// with a status from 100 to 999. Without a reason it takes the usual one, if there
// is one.
func AppendStatusLine[R text](dst []byte, status int, reason R) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	if len(reason) > 0 {
		dst = append(dst, reason...)
	} else {
		dst = append(dst, http.StatusText(status)...)
	}
	return append(dst, "\r\n"...)
}

// AppendField appends a field line (RFC 9112 §5). The caller vouches for name and
// value, see [ValidFieldName] and [ValidFieldValue].
func AppendField[N, V text](dst []byte, name N, value V) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendContentLength appends a Content-Length field.
func AppendContentLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}

// AppendChunkSize appends what precedes a chunk of n bytes, which are at least one:
// a chunk of none would end the body. CRLF follows the bytes (RFC 9112 §7.1).
func AppendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends what ends a chunked body: the last chunk and the trailer
// section, which may be empty (RFC 9112 §7.1.2).
func AppendLastChunk(dst []byte, trailer []Field) []byte {
	dst = append(dst, "0\r\n"...)
	for _, f := range trailer {
		dst = AppendField(dst, f.Name, f.Value)
	}
	return append(dst, "\r\n"...)
}
