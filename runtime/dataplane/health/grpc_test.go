package health

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// grpcMember is a gRPC server, over TLS if it has a certificate.
func grpcMember(t testing.TB, certificate *tls.Certificate, service grpc_health_v1.HealthServer) (address string) {
	t.Helper()
	var options []grpc.ServerOption
	if certificate != nil {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(certificate)))
	}
	s := grpc.NewServer(options...)
	if service != nil {
		grpc_health_v1.RegisterHealthServer(s, service)
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	go s.Serve(socket)
	return socket.Addr().String()
}

// denying refuses every check.
type denying struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (denying) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return nil, status.Error(codes.PermissionDenied, "hunter2")
}

// hanging answers when the caller has lost patience.
type hanging struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (hanging) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestGRPCProbesAgainstARealServer(t *testing.T) {
	certificate, client := identity(t)
	service := grpchealth.NewServer()
	service.SetServingStatus("app.v1.App", grpc_health_v1.HealthCheckResponse_SERVING)
	service.SetServingStatus("app.v1.Sick", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	service.SetServingStatus("app.v1.Unknown", grpc_health_v1.HealthCheckResponse_UNKNOWN)
	plain, secure := grpcMember(t, nil, service), grpcMember(t, certificate, service)
	none, denied := grpcMember(t, nil, nil), grpcMember(t, nil, denying{})
	web := httpMember(t, nil)
	for _, tc := range []struct {
		name    string
		target  Target
		service string
		want    string
	}{
		{"the member as a whole", Target{Address: plain}, "", ""},
		{"a service", Target{Address: plain}, "app.v1.App", ""},
		{"over TLS", Target{Address: secure, TLS: client}, "app.v1.App", ""},
		{"a sick service", Target{Address: plain}, "app.v1.Sick", "answered NOT_SERVING"},
		{"a service of unknown health", Target{Address: plain}, "app.v1.Unknown", "answered UNKNOWN"},
		{"a service that is not there", Target{Address: plain}, "app.v1.Other", "answered gRPC status NotFound"},
		{"a member without health checking", Target{Address: none}, "", "answered gRPC status Unimplemented"},
		{"a member that refuses", Target{Address: denied}, "", "answered gRPC status PermissionDenied"},
		{"a member that does not speak gRPC", Target{Address: web}, "", "answered status 404"},
		{"a member without TLS", Target{Address: plain, TLS: client}, "", "tls:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.target.Check = patient(lb.HealthGRPC, func(c *lb.HealthCheck) { c.Service = tc.service })
			err := once(t, tc.target)
			wantOutcome(t, err, tc.want)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the cause repeats the member's words: %v", err)
			}
		})
	}
}

func TestAGRPCMemberThatHangsTimesOut(t *testing.T) {
	c := check(lb.HealthGRPC)
	c.Timeout = lb.Duration(50 * time.Millisecond)
	wantOutcome(t, once(t, Target{Address: grpcMember(t, nil, hanging{}), Check: c}), "timed out after 50ms")
}

// grpcAnswer is an answer of header, message and trailer.
func grpcAnswer(message string, trailer ...string) []byte {
	return frames(func(s *script) {
		s.header(1, false, ":status", "200", "content-type", "application/grpc")
		s.WriteData(1, false, []byte(message))
		s.header(1, true, trailer...)
	})
}

func TestAGRPCAnswerIsJudged(t *testing.T) {
	const ok = "\x00\x00\x00\x00\x02\x08\x01"
	for _, tc := range []struct {
		name   string
		answer []byte
		want   string
	}{
		{"serving", grpcAnswer(ok, "grpc-status", "0"), ""},
		{"message in parts", frames(func(s *script) {
			s.header(1, false, ":status", "200")
			for i := range ok {
				s.WriteData(1, false, []byte(ok[i:i+1]))
			}
			s.header(1, true, "grpc-status", "0")
		}), ""},
		{"unknown fields", grpcAnswer("\x00\x00\x00\x00\x07\x12\x01x\x08\x01\x18\x05", "grpc-status", "0"), ""},
		{"the last status counts", grpcAnswer("\x00\x00\x00\x00\x04\x08\x01\x08\x02", "grpc-status", "0"), "answered NOT_SERVING"},
		{"no status is unknown", grpcAnswer("\x00\x00\x00\x00\x00", "grpc-status", "0"), "answered UNKNOWN"},
		{"a status that does not exist", grpcAnswer("\x00\x00\x00\x00\x02\x08\x2a", "grpc-status", "0"), "answered 42"},
		{"service unknown", grpcAnswer("\x00\x00\x00\x00\x02\x08\x03", "grpc-status", "0"), "answered SERVICE_UNKNOWN"},
		{"failure in the header", frames(func(s *script) { s.header(1, true, ":status", "200", "grpc-status", "14") }), "answered gRPC status Unavailable"},
		{"failure of another kind", grpcAnswer(ok, "grpc-status", "99"), "answered gRPC status Code(99)"},
		{"after interim responses", append(frames(func(s *script) { s.header(1, false, ":status", "103") }), grpcAnswer(ok, "grpc-status", "0")...), ""},
		{"another status", frames(func(s *script) { s.header(1, true, ":status", "502", "grpc-status", "0") }), "answered status 502"},
		{"no gRPC status", grpcAnswer(ok, "server", "x"), "without a gRPC status"},
		{"a gRPC status that is no number", grpcAnswer(ok, "grpc-status", "fine"), "without a gRPC status"},
		{"no trailer", frames(func(s *script) { s.header(1, false, ":status", "200"); s.WriteData(1, true, []byte(ok)) }), "without a gRPC status"},
		{"only data", frames(func(s *script) { s.WriteData(1, false, []byte(ok)) }), "without a gRPC status"},
		{"no message", frames(func(s *script) { s.header(1, true, ":status", "200", "grpc-status", "0") }), "not a health response"},
		{"compressed", grpcAnswer("\x01\x00\x00\x00\x02\x08\x01", "grpc-status", "0"), "not a health response"},
		{"shorter than it says", grpcAnswer("\x00\x00\x00\x00\x03\x08\x01", "grpc-status", "0"), "not a health response"},
		{"longer than it says", grpcAnswer(ok+ok, "grpc-status", "0"), "not a health response"},
		{"a status that is text", grpcAnswer("\x00\x00\x00\x00\x03\x0a\x01x", "grpc-status", "0"), "not a health response"},
		{"a tag that is cut off", grpcAnswer("\x00\x00\x00\x00\x01\x88", "grpc-status", "0"), "not a health response"},
		{"a field that is cut off", grpcAnswer("\x00\x00\x00\x00\x02\x08\x80", "grpc-status", "0"), "not a health response"},
		{"a message without end", frames(func(s *script) {
			s.header(1, false, ":status", "200")
			for range 10 {
				s.WriteData(1, false, make([]byte, maxHeaderBytes))
			}
		}), "more than 65536 bytes"},
		{"cut off", frames(func(s *script) { s.header(1, false, ":status", "200"); s.WriteData(1, false, []byte(ok)) }), "closed the connection without an answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := askPlayed(lb.HealthGRPC, tc.answer)
			wantOutcome(t, err, tc.want)
		})
	}
}

func TestHealthMessagesAreThoseOfTheProtocol(t *testing.T) {
	for _, service := range []string{"", "app.v1.App", strings.Repeat("x", 300)} {
		b := checkRequest(service)
		var got grpc_health_v1.HealthCheckRequest
		if err := proto.Unmarshal(b[messagePrefix:], &got); err != nil || got.GetService() != service || len(got.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("a request for %q reads as %v, %v", service, &got, err)
		}
	}
	for value, name := range grpc_health_v1.HealthCheckResponse_ServingStatus_name {
		b, err := proto.Marshal(&grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_ServingStatus(value)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := checkResponse(append([]byte{0, 0, 0, 0, byte(len(b))}, b...))
		if err != nil || got.String() != name || (got == serving) != (name == "SERVING") {
			t.Errorf("%s reads as %s, %v", name, got, err)
		}
	}
}

func FuzzCheckResponse(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x07\x12\x01x\x08\x01\x18\x05"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := checkResponse(b)
		if err != nil {
			return
		}
		var want grpc_health_v1.HealthCheckResponse
		if err := proto.Unmarshal(b[messagePrefix:], &want); err != nil {
			return // it also refuses field numbers and UTF-8 that are no concern here
		}
		if int32(got) != int32(want.GetStatus()) {
			t.Errorf("%x reads as %s, want %s", b, got, want.GetStatus())
		}
	})
}
