package sink

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

const (
	otlpPath  = "/v1/logs"
	otlpScope = "auditlb.log"
)

// otlp sends messages as log records, by OTLP 1.x over HTTP with binary protobuf.
type otlp struct {
	*exchange
	resource *resourcepb.Resource
	now      func() time.Time
}

func newOTLP(cfg *OTLPConfig, f formatter) *otlp {
	attributes := []*commonpb.KeyValue{text("service.name", "auditlb"), text("auditlb.log.origin", f.origin)}
	if f.version != "" {
		attributes = append(attributes, text("service.version", f.version))
	}
	return &otlp{
		exchange: newExchange(strings.TrimSuffix(cfg.Endpoint, "/")+otlpPath, cfg.HTTPConfig),
		resource: &resourcepb.Resource{Attributes: attributes}, now: time.Now,
	}
}

func (o *otlp) batch() int { return MaxBatch }

func (o *otlp) deliver(ctx context.Context, batch []message) error {
	observed := uint64(o.now().UnixNano())
	records := make([]*logspb.LogRecord, 0, len(batch))
	for i := range batch {
		records = append(records, logRecord(&batch[i], observed))
	}
	// LogsData is ExportLogsServiceRequest under another name: the same field, the same
	// number. The latter's package would bring gRPC's gateway along.
	raw, err := proto.Marshal(&logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{
		Resource:  o.resource,
		ScopeLogs: []*logspb.ScopeLogs{{Scope: &commonpb.InstrumentationScope{Name: otlpScope}, LogRecords: records}},
	}}})
	if err != nil {
		return &rejected{detail: "an entry can't be written as protobuf", final: true}
	}
	var body bytes.Buffer
	zipped := gzip.NewWriter(&body)
	if _, err := zipped.Write(raw); err != nil {
		return failed(codeUnreachable, "the request can't be compressed")
	}
	if err := zipped.Close(); err != nil {
		return failed(codeUnreachable, "the request can't be compressed")
	}
	header := http.Header{}
	header.Set("Content-Type", "application/x-protobuf")
	header.Set("Content-Encoding", "gzip")
	answer, err := o.post(ctx, header, body.Bytes())
	if err != nil {
		return err
	}
	return judgeOTLP(answer, len(batch))
}

// judgeOTLP says what a collector's answer means (OTLP, "OTLP/HTTP Response"). That asks for
// 401 not to be sent again; we do, since it tells of our credentials, which can be changed
// meanwhile, and of no record.
func judgeOTLP(r reply, sent int) error {
	switch s := r.status; {
	case s >= 200 && s <= 299 && r.cut != nil:
		return r.cut // which records were refused may be in what is missing
	case s >= 200 && s <= 299:
		n := rejectedRecords(r.body)
		if n <= 0 {
			return nil
		}
		// Which ones is not said, and none may be sent again.
		return &rejected{status: s, final: true, detail: fmt.Sprintf("it refuses %d of %d records and does not say which", min(n, int64(sent)), sent)}
	case s == http.StatusTooManyRequests, s == http.StatusBadGateway, s == http.StatusServiceUnavailable, s == http.StatusGatewayTimeout:
		return r.answered(codeStatus, "")
	case s >= 300 && s <= 399:
		return r.answered(codeStatus, ", a redirect, which is not followed: correct its endpoint")
	case s == http.StatusUnauthorized:
		return r.answered(codeCredentials, ": it does not accept our credentials")
	}
	return &rejected{status: r.status, detail: fmt.Sprintf("it refuses the records (%d)", r.status)}
}

// Numbers of fields: ExportLogsServiceResponse.partial_success and
// ExportLogsPartialSuccess.rejected_log_records.
const (
	fieldPartialSuccess = 1
	fieldRejected       = 1
)

// rejectedRecords reads how many records a collector's answer says were refused. What is
// no such answer says nothing.
func rejectedRecords(answer []byte) int64 {
	partial := protoField(answer, fieldPartialSuccess, protowire.BytesType)
	inner, n := protowire.ConsumeBytes(partial)
	if n < 0 {
		return 0
	}
	count, n := protowire.ConsumeVarint(protoField(inner, fieldRejected, protowire.VarintType))
	if n < 0 {
		return 0
	}
	return int64(count)
}

// protoField returns what follows the last tag of a field, or nil.
func protoField(b []byte, number protowire.Number, typ protowire.Type) (value []byte) {
	for len(b) > 0 {
		num, t, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		b = b[n:]
		if num == number && t == typ {
			value = b
		}
		if n = protowire.ConsumeFieldValue(num, t, b); n < 0 {
			return nil
		}
		b = b[n:]
	}
	return value
}

func logRecord(m *message, observed uint64) *logspb.LogRecord {
	e := m.entry
	severity, name := severityOf(e)
	return &logspb.LogRecord{
		TimeUnixNano: uint64(e.Time.UnixNano()), ObservedTimeUnixNano: observed,
		SeverityNumber: severity, SeverityText: name,
		EventName:  "auditlb.entry." + e.Type,
		Body:       &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: string(m.payload)}},
		Attributes: attributes(e),
	}
}

// severityOf: what was done in an emergency needs a review, and what was refused a look.
func severityOf(e *api.EntryRecord) (logspb.SeverityNumber, string) {
	switch {
	case e.Emergency:
		return logspb.SeverityNumber_SEVERITY_NUMBER_ERROR, "ERROR"
	case e.Outcome == audit.OutcomeRefused:
		return logspb.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}
	return logspb.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO"
}

// attributes are what entries are searched by.
func attributes(e *api.EntryRecord) []*commonpb.KeyValue {
	out := []*commonpb.KeyValue{
		{Key: "auditlb.seq", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: e.Seq}}},
		text("auditlb.type", e.Type), text("auditlb.outcome", e.Outcome), text("auditlb.actor", e.Actor.Name),
	}
	add := func(key, value string) {
		if value != "" {
			out = append(out, text(key, value))
		}
	}
	flag := func(key string, set bool) {
		if set {
			out = append(out, &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}})
		}
	}
	add("auditlb.role", e.Actor.Role)
	add("auditlb.credential", e.Actor.Credential)
	add("auditlb.ticket", e.Ticket)
	add("auditlb.resource", e.Resource)
	add("auditlb.op", e.Op)
	add("auditlb.code", e.Code)
	add("auditlb.leaf_hash", e.LeafHash)
	if e.Run != nil {
		add("auditlb.run", e.Run.ID)
		flag("auditlb.run.verified", e.Run.Verified)
	}
	flag("auditlb.emergency", e.Emergency)
	flag("auditlb.unplanned", e.Unplanned)
	if e.Request != nil {
		add("auditlb.request.id", e.Request.ID)
		add("client.address", e.Request.SourceIP)
		add("user_agent.original", e.Request.UserAgent)
	}
	return out
}

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}
