package dataplane

import (
	"strconv"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
)

// gRPC's status codes for what is answered without a member
// (grpc/grpc, doc/statuscodes.md).
const (
	grpcUnknown           = 2
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
)

// grpcStatus is the code for a status of HTTP: that of gRPC's own mapping
// (doc/http-grpc-status-mapping.md), except that it knows late and too large.
func grpcStatus(status int) int {
	switch status {
	case 400:
		return grpcInternal
	case 403:
		return grpcPermissionDenied
	case 404:
		return grpcUnimplemented
	case 408, 504:
		return grpcDeadlineExceeded
	case 413, 431:
		return grpcResourceExhausted
	case 429, 502, 503:
		return grpcUnavailable
	}
	return grpcUnknown
}

const grpcContentType = "application/grpc"

// isGRPC reports whether a request is a call of gRPC (doc/PROTOCOL-HTTP2.md).
func isGRPC(r *http1.Request) bool {
	contentType, _ := fieldsOf{r}.Next("content-type", 0)
	rest, ok := strings.CutPrefix(string(contentType), grpcContentType)
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// grpcTimeout is the time that a call gives itself, 0 if it doesn't say or can't be
// understood: up to eight digits and a unit.
func grpcTimeout(r *http1.Request) time.Duration {
	value, _ := fieldsOf{r}.Next("grpc-timeout", 0)
	if len(value) < 2 || len(value) > 9 {
		return 0
	}
	last := len(value) - 1
	n, err := strconv.ParseUint(string(value[:last]), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * grpcUnits[value[last]]
}

var grpcUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// expired reports whether the time that a call gave itself is over.
func (x *exchange) expired() bool {
	limit := grpcTimeout(x.req)
	return limit > 0 && time.Since(x.began) >= limit
}

// refuseGRPC answers a call in the form that its client's library understands: a
// response that has nothing but trailers, which are its head. It counts as the status
// of HTTP that it stands for.
func (x *exchange) refuseGRPC(status int, text string) {
	x.reply(200, grpcContentType, []http1.Field{
		textField("Grpc-Status", strconv.Itoa(grpcStatus(status))),
		textField("Grpc-Message", text),
	}, nil)
	x.status = status
}
