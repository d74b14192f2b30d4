package dataplane_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// testService is a member that speaks gRPC.
type testService struct {
	grpc_testing.UnimplementedTestServiceServer
	arrived, ended chan struct{} // of EmptyCall
}

// UnaryCall answers with the payload and the metadata of the request, or with the
// status that it asks for.
func (*testService) UnaryCall(ctx context.Context, r *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	in, _ := metadata.FromIncomingContext(ctx)
	grpc.SetHeader(ctx, metadata.Pairs("x-got", fmt.Sprint(in["x-sent"]), "x-bin", fmt.Sprintf("%x", in["x-sent-bin"])))
	grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "yes"))
	if s := r.GetResponseStatus(); s != nil {
		return nil, status.Error(codes.Code(s.GetCode()), s.GetMessage())
	}
	return &grpc_testing.SimpleResponse{Payload: r.GetPayload()}, nil
}

// EmptyCall waits until its caller has left or its time is over.
func (s *testService) EmptyCall(ctx context.Context, _ *grpc_testing.Empty) (*grpc_testing.Empty, error) {
	if _, timed := ctx.Deadline(); timed {
		grpc.SetHeader(ctx, metadata.Pairs("x-timed", "yes"))
	}
	s.arrived <- struct{}{}
	<-ctx.Done()
	s.ended <- struct{}{}
	return nil, ctx.Err()
}

// StreamingOutputCall sends a message for each size that is asked for.
func (*testService) StreamingOutputCall(r *grpc_testing.StreamingOutputCallRequest, out grpc.ServerStreamingServer[grpc_testing.StreamingOutputCallResponse]) error {
	for _, p := range r.GetResponseParameters() {
		if err := out.Send(sized(int(p.GetSize()))); err != nil {
			return err
		}
	}
	return nil
}

// StreamingInputCall adds up the sizes of what it gets.
func (*testService) StreamingInputCall(in grpc.ClientStreamingServer[grpc_testing.StreamingInputCallRequest, grpc_testing.StreamingInputCallResponse]) error {
	total := 0
	for {
		r, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return in.SendAndClose(&grpc_testing.StreamingInputCallResponse{AggregatedPayloadSize: int32(total)})
		}
		if err != nil {
			return err
		}
		total += len(r.GetPayload().GetBody())
	}
}

// FullDuplexCall answers each message at once, and says goodbye when it has thought for
// as long as the last one said, in microseconds.
func (*testService) FullDuplexCall(both grpc.BidiStreamingServer[grpc_testing.StreamingOutputCallRequest, grpc_testing.StreamingOutputCallResponse]) error {
	var think time.Duration
	for {
		r, err := both.Recv()
		if errors.Is(err, io.EOF) {
			time.Sleep(think)
			return both.Send(sized(1000))
		}
		if err != nil {
			return err
		}
		if p := r.GetResponseParameters(); len(p) > 0 {
			think = time.Duration(p[0].GetIntervalUs()) * time.Microsecond
		}
		if err := both.Send(sized(len(r.GetPayload().GetBody()))); err != nil {
			return err
		}
	}
}

// sized is an answer with a payload of a size.
func sized(size int) *grpc_testing.StreamingOutputCallResponse {
	return &grpc_testing.StreamingOutputCallResponse{Payload: &grpc_testing.Payload{Body: bytes.Repeat([]byte("x"), size)}}
}

// newTestService starts a member that speaks gRPC, over TLS or not, and returns a pool
// of it.
func newTestService(t *testing.T, secure bool) (*testService, *lb.Pool) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := pool(members("a", ln.Addr().String()))
	p.HTTPVersion = lb.HTTP2
	var options []grpc.ServerOption
	if secure {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(certificate(t, "member", "member.test"))))
		upstream := lb.NewUpstreamTLS()
		upstream.Verify = false
		p.UpstreamTLS = &upstream
	}
	service := &testService{arrived: make(chan struct{}, 16), ended: make(chan struct{}, 16)}
	server := grpc.NewServer(options...)
	grpc_testing.RegisterTestServiceServer(server, service)
	go server.Serve(ln)
	t.Cleanup(server.Stop)
	return service, p
}

// callers are clients of gRPC, by the name of the listener that they call through.
func callers(t *testing.T, e *dataplane.Engine) map[string]*grpc.ClientConn {
	t.Helper()
	out := map[string]*grpc.ClientConn{}
	for listener, creds := range map[string]credentials.TransportCredentials{
		"h2c": insecure.NewCredentials(),
		"h2":  credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
	} {
		conn, err := grpc.NewClient("passthrough:///"+address(t, e, listener), grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		out[listener] = conn
	}
	return out
}

// everyCaller runs a test through both listeners to members with and without TLS.
func everyCaller(t *testing.T, change func(*lb.Pool), test func(t *testing.T, ctx context.Context, c *grpc.ClientConn, s *testService)) {
	for _, secure := range []bool{false, true} {
		service, p := newTestService(t, secure)
		if change != nil {
			change(p)
		}
		e := multiplexed(t, p, nil)
		for listener, conn := range callers(t, e) {
			t.Run(fmt.Sprintf("%s to a member with TLS %t", listener, secure), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				test(t, ctx, conn, service)
				eventually(t, "free of calls", func() bool { return e.Status().Pools["app"].Members["a"].ActiveRequests == 0 })
			})
		}
	}
}

func TestACallOfGRPCPassesWithItsMetadataAndStatus(t *testing.T) {
	everyCaller(t, nil, func(t *testing.T, ctx context.Context, conn *grpc.ClientConn, _ *testService) {
		c := grpc_testing.NewTestServiceClient(conn)
		ctx = metadata.AppendToOutgoingContext(ctx, "x-sent", "one", "x-sent", "two", "x-sent-bin", "\x00\xff")
		for _, size := range []int{0, 10, 3 << 20} {
			var header, trailer metadata.MD
			payload := &grpc_testing.Payload{Body: bytes.Repeat([]byte("y"), size)}
			r, err := c.UnaryCall(ctx, &grpc_testing.SimpleRequest{Payload: payload}, grpc.Header(&header), grpc.Trailer(&trailer))
			if err != nil || !bytes.Equal(r.GetPayload().GetBody(), payload.GetBody()) {
				t.Fatalf("a payload of %d bytes came back with %d, %v", size, len(r.GetPayload().GetBody()), err)
			}
			if fmt.Sprint(header["x-got"], header["x-bin"], trailer["x-trailer"]) != "[[one two]] [[00ff]] [yes]" {
				t.Errorf("header %v, trailer %v", header, trailer)
			}
		}
		for _, want := range []*status.Status{
			status.New(codes.FailedPrecondition, "not so: 100% \"sure\", ümläut\n"),
			status.New(codes.NotFound, ""),
		} {
			_, err := c.UnaryCall(ctx, &grpc_testing.SimpleRequest{
				ResponseStatus: &grpc_testing.EchoStatus{Code: int32(want.Code()), Message: want.Message()},
			})
			if got := status.Convert(err); got.Code() != want.Code() || got.Message() != want.Message() {
				t.Errorf("the status is %v, want %v", got, want)
			}
		}
		if _, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("a service that is not there answers %v", err)
		}
	})
}

func TestStreamsOfGRPCPassMessageByMessage(t *testing.T) {
	everyCaller(t, nil, func(t *testing.T, ctx context.Context, conn *grpc.ClientConn, _ *testService) {
		c := grpc_testing.NewTestServiceClient(conn)
		var sizes []*grpc_testing.ResponseParameters
		for i := range 100 {
			sizes = append(sizes, &grpc_testing.ResponseParameters{Size: int32(i * i)})
		}
		out, err := c.StreamingOutputCall(ctx, &grpc_testing.StreamingOutputCallRequest{ResponseParameters: sizes})
		if err != nil {
			t.Fatal(err)
		}
		for i := range sizes {
			if m, err := out.Recv(); err != nil || len(m.GetPayload().GetBody()) != i*i {
				t.Fatalf("message %d is of %d bytes, %v", i, len(m.GetPayload().GetBody()), err)
			}
		}
		if _, err := out.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("behind the last message: %v", err)
		}

		in, err := c.StreamingInputCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			in.Send(&grpc_testing.StreamingInputCallRequest{Payload: sized(i).GetPayload()})
		}
		if r, err := in.CloseAndRecv(); err != nil || r.GetAggregatedPayloadSize() != 99*100/2 {
			t.Errorf("the member added up %d, %v", r.GetAggregatedPayloadSize(), err)
		}

		both, err := c.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // each goes only when the one before has come back
			both.Send(&grpc_testing.StreamingOutputCallRequest{Payload: sized(i).GetPayload()})
			if m, err := both.Recv(); err != nil || len(m.GetPayload().GetBody()) != i {
				t.Fatalf("message %d came back with %d bytes, %v", i, len(m.GetPayload().GetBody()), err)
			}
		}
		both.CloseSend()
		if m, err := both.Recv(); err != nil || len(m.GetPayload().GetBody()) != 1000 {
			t.Errorf("behind its half the client got %d bytes, %v", len(m.GetPayload().GetBody()), err)
		}
		if _, err := both.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
	})
}

func TestACallThatIsCancelledOrLateEndsTheMembersWork(t *testing.T) {
	everyCaller(t, nil, func(t *testing.T, ctx context.Context, conn *grpc.ClientConn, s *testService) {
		c := grpc_testing.NewTestServiceClient(conn)
		late, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		if _, err := c.EmptyCall(late, &grpc_testing.Empty{}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a call that took too long ended with %v", err)
		}
		<-s.arrived
		<-s.ended
		cancelled, cancel := context.WithCancel(ctx)
		failed := make(chan error, 1)
		go func() {
			_, err := c.EmptyCall(cancelled, &grpc_testing.Empty{})
			failed <- err
		}()
		<-s.arrived
		cancel()
		<-s.ended
		if err := <-failed; status.Code(err) != codes.Canceled {
			t.Errorf("a call that was cancelled ended with %v", err)
		}
	})
}

func TestAStreamThatHasBegunMayBeSilentForLongerThanItsBeginningMayTake(t *testing.T) {
	t.Parallel()
	quick := func(p *lb.Pool) { p.Timeouts.Response = lb.Duration(200 * time.Millisecond) }
	everyCaller(t, quick, func(t *testing.T, ctx context.Context, conn *grpc.ClientConn, _ *testService) {
		both, err := grpc_testing.NewTestServiceClient(conn).FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pause := []*grpc_testing.ResponseParameters{{IntervalUs: int32((500 * time.Millisecond).Microseconds())}}
		both.Send(&grpc_testing.StreamingOutputCallRequest{ResponseParameters: pause})
		if _, err := both.Recv(); err != nil {
			t.Fatal(err)
		}
		both.CloseSend()
		if m, err := both.Recv(); err != nil || len(m.GetPayload().GetBody()) != 1000 {
			t.Errorf("the member's last word is of %d bytes, %v", len(m.GetPayload().GetBody()), err)
		}
	})
}

func TestACallOfGRPCWithoutAMemberIsUnavailable(t *testing.T) {
	p := pool(members("a", unused(t)))
	p.HTTPVersion = lb.HTTP2
	for listener, conn := range callers(t, multiplexed(t, p, nil)) {
		_, err := grpc_testing.NewTestServiceClient(conn).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("through %s: %v", listener, err)
		}
	}
}
