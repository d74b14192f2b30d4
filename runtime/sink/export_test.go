package sink

import (
	"net/http"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// What tests see of the package.
const (
	OCSFVersion = ocsfVersion
	BatchBytes  = batchBytes
	RowsAtOnce  = rowsAtOnce
)

// Render renders an entry as a sink of a log would send it.
func Render(origin, version string, format Format, envelope string, e *api.EntryRecord) ([]byte, error) {
	m, err := formatter{origin: origin, version: version, format: format, envelope: envelope}.message(e)
	return m.payload, err
}

// Mapping is a row of the map to OCSF, as the guide shows it.
type Mapping struct{ Type, Op, Class, Activity string }

// Mappings is the map to OCSF.
func Mappings() []Mapping {
	out := make([]Mapping, 0, len(mappings))
	for _, m := range mappings {
		row := Mapping{Type: string(m.typ), Op: m.op, Class: m.class.caption}
		if row.Activity = activityNames[m.activity]; row.Activity == "" {
			row.Activity = "Other"
		}
		out = append(out, row)
	}
	return out
}

// RetryAfter reads a field of HTTP.
func RetryAfter(text string, now time.Time) time.Duration {
	return retryAfter(http.Header{"Retry-After": {text}}, now)
}

// Backoff is the wait after failures in a row.
func Backoff(n int, least, most time.Duration) time.Duration { return backoff(n, least, most) }

// WholeLines is the end of the last whole line of a text.
func WholeLines(text string) (int64, error) {
	return wholeLines(strings.NewReader(text), int64(len(text)))
}

// RejectedRecords reads a collector's answer.
func RejectedRecords(answer []byte) int64 { return rejectedRecords(answer) }
