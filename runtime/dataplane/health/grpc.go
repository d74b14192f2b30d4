package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// The gRPC health checking protocol, grpc.health.v1: Check takes a message whose
// field 1 names a service ("" is the member as a whole) and returns one whose field 1
// is its status. The two messages are written and read here, as the generated ones
// would bring all of gRPC with them.
const (
	checkMethod = "/grpc.health.v1.Health/Check"

	serviceField = protowire.Number(1)
	statusField  = protowire.Number(1)
	// messagePrefix is a byte that says whether a message is compressed, and its length
	// in four.
	messagePrefix = 5
)

// servingStatus is what a service says of itself.
type servingStatus uint64

const serving servingStatus = 1

// String returns the name in the protocol.
func (s servingStatus) String() string {
	names := []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	if s < servingStatus(len(names)) {
		return names[s]
	}
	return strconv.FormatUint(uint64(s), 10)
}

var (
	errNoHealthResponse = errors.New("answered with something that is not a health response")
	errNoGRPCStatus     = errors.New("answered without a gRPC status")
)

// askGRPC asks the member for the health of the service.
func (w *Watch) askGRPC(conn net.Conn) error {
	x := newExchange(conn)
	defer x.release()
	err := x.request("POST", w.host(), checkMethod, []hpack.HeaderField{
		{Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"},
	}, checkRequest(w.target.Check.Service))
	if err != nil {
		return err
	}
	var message []byte
	for begun := false; ; {
		header, data, err := x.next()
		switch {
		case err != nil:
			return err
		case header != nil && !begun:
			switch status := statusOf(header); {
			case status/100 == 1:
				continue
			case status != 200:
				return fmt.Errorf("answered status %d", status)
			}
			begun = true
			if header.StreamEnded() {
				return verdict(header, message)
			}
		case header != nil:
			return verdict(header, message)
		case !begun || data.StreamEnded():
			return errNoGRPCStatus
		default:
			message = append(message, data.Data()...)
		}
	}
}

// verdict judges an answer by its trailer and its message.
func verdict(trailer *http2.MetaHeadersFrame, message []byte) error {
	for _, f := range trailer.RegularFields() {
		if f.Name != "grpc-status" {
			continue
		}
		code, err := strconv.ParseUint(f.Value, 10, 32)
		if err != nil {
			return errNoGRPCStatus
		}
		if c := codes.Code(code); c != codes.OK {
			return fmt.Errorf("answered gRPC status %s", c)
		}
		status, err := checkResponse(message)
		if err == nil && status != serving {
			err = fmt.Errorf("answered %s", status)
		}
		return err
	}
	return errNoGRPCStatus
}

// checkRequest returns a HealthCheckRequest behind its prefix.
func checkRequest(service string) []byte {
	b := make([]byte, messagePrefix, messagePrefix+4+len(service))
	if service != "" {
		b = protowire.AppendTag(b, serviceField, protowire.BytesType)
		b = protowire.AppendString(b, service)
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-messagePrefix))
	return b
}

// checkResponse reads a HealthCheckResponse behind its prefix.
func checkResponse(b []byte) (status servingStatus, err error) {
	if len(b) < messagePrefix || b[0] != 0 || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-messagePrefix) {
		return 0, errNoHealthResponse
	}
	for b = b[messagePrefix:]; len(b) > 0; {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, errNoHealthResponse
		}
		value := b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, value); n < 0 {
			return 0, errNoHealthResponse
		}
		if number == statusField {
			if kind != protowire.VarintType {
				return 0, errNoHealthResponse
			}
			v, _ := protowire.ConsumeVarint(value)
			status = servingStatus(v)
		}
		b = value[n:]
	}
	return status, nil
}
