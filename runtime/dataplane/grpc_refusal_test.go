package dataplane_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestACallerLearnsWhyNoMemberAnsweredInTheWayOfGRPC(t *testing.T) {
	empty := func(ctx context.Context, c grpc_testing.TestServiceClient) error {
		_, err := c.EmptyCall(ctx, &grpc_testing.Empty{})
		return err
	}
	for _, tc := range []struct {
		name string
		pool func(*lb.Pool)
		web  func(*lb.Listener)
		call func(context.Context, grpc_testing.TestServiceClient) error
		want string
	}{
		{"no member", func(p *lb.Pool) { p.Members = nil }, nil, empty, "Unavailable: no healthy member"},
		{"no route", nil, func(l *lb.Listener) { l.DefaultPool = "" }, empty, "Unimplemented: no route for this request"},
		{"member that refuses connections", func(p *lb.Pool) { p.Members = members("a", unused(t)) }, nil, empty, "Unavailable: the member failed"},
		{"member that is late", func(p *lb.Pool) { p.Timeouts.Response = lb.Duration(50 * time.Millisecond) }, nil, empty, "DeadlineExceeded: the member did not answer in time"},
		{"message that is too large", nil, func(l *lb.Listener) { l.Limits.MaxBodyBytes = 1000 }, func(ctx context.Context, c grpc_testing.TestServiceClient) error {
			_, err := c.UnaryCall(ctx, &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: make([]byte, 5000)}})
			return err
		}, "ResourceExhausted: the request's body is too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, p := newTestService(t, false)
			if tc.pool != nil {
				tc.pool(p)
			}
			e := multiplexed(t, p, tc.web)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for name, conn := range callers(t, e) {
				err := tc.call(ctx, grpc_testing.NewTestServiceClient(conn))
				if got := status.Convert(err); got.Code().String()+": "+got.Message() != tc.want {
					t.Errorf("%s: the call ended with %v; want %s", name, err, tc.want)
				}
			}
		})
	}
}

// A member keeps the time of a call as its caller does, and may be first to end it.
func TestACallThatItsMemberGivesUpInTimeIsLate(t *testing.T) {
	for _, tc := range []struct {
		name, timeout string
		want          codes.Code
	}{
		{"its time is over", "20m", codes.DeadlineExceeded},
		{"its time is not over", "20S", codes.Unavailable},
		{"nonsense", "20x", codes.Unavailable},
		{"more digits than there may be", "000000001n", codes.Unavailable},
		{"no time", "", codes.Unavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := multiplexed(t, speaking(t, "h2c", func(http.ResponseWriter, *http.Request) {
				time.Sleep(30 * time.Millisecond)
				panic(http.ErrAbortHandler)
			}), nil)
			client, url := speakers(t, e)["x/net with prior knowledge"]()
			r, _ := http.NewRequestWithContext(t.Context(), "POST", url, nil)
			r.Header = http.Header{"Content-Type": {"application/grpc+proto"}, "Grpc-Timeout": {tc.timeout}}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			code, want := resp.Header.Get("Grpc-Status"), strconv.Itoa(int(tc.want))
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/grpc" || code != want {
				t.Errorf("got %s, %v; want the code %s", resp.Status, resp.Header, want)
			}
		})
	}
}

func TestWhatIsNoCallOfGRPCIsAnsweredInTheWayOfHTTP(t *testing.T) {
	for _, contentType := range []string{"application/grpc-web", "application/grpcx", "text/plain", ""} {
		e := multiplexed(t, pool(nil), nil)
		r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+address(t, e, "h2c")+"/", nil)
		r.Header.Set("Content-Type", contentType)
		resp, err := newClient(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 503 || string(body) != "no healthy member\n" {
			t.Errorf("%q: got %s, %q", contentType, resp.Status, body)
		}
	}
}
