package decision

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

const (
	// maxText bounds each text that a client or member chose; the rest of it is left out.
	maxText = 1 << 10
	// maxRecordBytes is more than any record can take: every byte of every text escaped.
	maxRecordBytes = 64 << 10
)

// appendRecord appends a record as a line of JSON. What is empty is left out. The
// fields are written by hand: it is done for each request where all are recorded.
func appendRecord(dst []byte, kind string, r *dataplane.Record) []byte {
	dst = append(dst, `{"time":"`...)
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","revision":`...)
	dst = strconv.AppendInt(dst, r.Revision, 10)
	dst = appendText(dst, "cause", string(r.Cause))
	dst = appendText(dst, "listener", r.Listener)
	dst = appendText(dst, "route", r.Route)
	dst = appendText(dst, "pool", r.Pool)
	dst = appendText(dst, "member", r.Member)
	if r.Client.IsValid() {
		dst = append(dst, `,"client":"`...)
		dst = r.Client.AppendTo(dst)
		dst = append(dst, '"')
	}
	dst = appendText(dst, "method", r.Method)
	dst = appendText(dst, "host", r.Host)
	dst = appendText(dst, "path", r.Path)
	dst = appendNumber(dst, "status", int64(r.Status))
	dst = appendNumber(dst, "latency_us", r.Latency.Microseconds())
	dst = appendNumber(dst, "bytes_in", r.BytesIn)
	dst = appendNumber(dst, "bytes_out", r.BytesOut)
	dst = appendNumber(dst, "tries", int64(r.Tries))
	dst = appendText(dst, "request_id", r.RequestID)
	dst = appendText(dst, "traceparent", r.TraceParent)
	dst = appendText(dst, "detail", r.Detail)
	return append(dst, "}\n"...)
}

func appendNumber(dst []byte, name string, n int64) []byte {
	if n == 0 {
		return dst
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return strconv.AppendInt(dst, n, 10)
}

// appendText appends a member with a text, escaped as RFC 8259 §7 wants it. Bytes that
// are no UTF-8 become U+FFFD.
func appendText[T ~string | ~[]byte](dst []byte, name string, text T) []byte {
	if len(text) == 0 {
		return dst
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, `":"`...)
	if len(text) > maxText {
		text = text[:maxText]
	}
	plain := true
	for i := range len(text) {
		if b := text[i]; b < ' ' || b == '"' || b == '\\' || b >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		dst = append(dst, text...)
	} else {
		dst = appendEscaped(dst, string(text))
	}
	return append(dst, '"')
}

func appendEscaped(dst []byte, text string) []byte {
	const digits = "0123456789abcdef"
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
