package dataplane_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

// echoing answers each message of a WebSocket with itself, until the client closes it
// or says "bye", to which it closes.
func echoing(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"echo"}, CompressionMode: websocket.CompressionContextTakeover, InsecureSkipVerify: true,
	})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		if string(message) == "bye" {
			conn.Close(4001, "as you wish")
			return
		}
		if conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// webSockets runs a test with a WebSocket through the plain listener and the one with TLS.
func webSockets(t *testing.T, test func(t *testing.T, ctx context.Context, conn *websocket.Conn)) {
	e := multiplexed(t, speaking(t, "HTTP/1.1", echoing), nil)
	for name, url := range map[string]string{"plain": "ws://" + address(t, e, "h2c"), "over TLS": "wss://" + address(t, e, "h2")} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			client := newClient(t)
			client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
			conn, _, err := websocket.Dial(ctx, url+"/socket?a=b", &websocket.DialOptions{
				HTTPClient: client, Subprotocols: []string{"echo"}, CompressionMode: websocket.CompressionContextTakeover,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			conn.SetReadLimit(-1)
			test(t, ctx, conn)
		})
	}
}

func TestWebSocketsOfALibraryWorkAsBetweenItsEnds(t *testing.T) {
	webSockets(t, func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
		if p := conn.Subprotocol(); p != "echo" {
			t.Errorf("subprotocol %q was agreed on", p)
		}
		for _, size := range []int{0, 1, 125, 126, 1000, 65_535, 65_536, 3 << 20} {
			message := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			if err := conn.Write(ctx, websocket.MessageBinary, message); err != nil {
				t.Fatal(err)
			}
			if kind, got, err := conn.Read(ctx); err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, message) {
				t.Fatalf("a message of %d bytes came back as %d of type %v, %v", size, len(got), kind, err)
			}
		}
		if err := conn.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
}

func TestAWebSocketThatItsMemberClosesSaysWhy(t *testing.T) {
	webSockets(t, func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
		if err := conn.Write(ctx, websocket.MessageText, []byte("bye")); err != nil {
			t.Fatal(err)
		}
		_, _, err := conn.Read(ctx)
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != 4001 || closed.Reason != "as you wish" {
			t.Errorf("the connection ended with %v", err)
		}
	})
}

func TestAWebSocketIsPingedAndStreams(t *testing.T) {
	webSockets(t, func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
		echoed := make(chan error, 1)
		go func() {
			_, r, err := conn.Reader(ctx)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			echoed <- err
			conn.CloseRead(ctx) // so that pongs are read
		}()
		w, err := conn.Writer(ctx, websocket.MessageText)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 { // one message, in many frames
			if _, err := w.Write(bytes.Repeat([]byte("x"), 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), <-echoed); err != nil {
			t.Fatal(err)
		}
		if err := conn.Ping(ctx); err != nil {
			t.Errorf("ping: %v", err)
		}
	})
}
