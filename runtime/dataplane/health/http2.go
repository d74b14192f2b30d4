package health

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stream is the one request of a connection: a client's first stream (RFC 9113 §5.1.1).
const stream = 1

// maxHeaderBytes bounds the header fields of an answer (RFC 9113 §6.5.2,
// SETTINGS_MAX_HEADER_LIST_SIZE).
const maxHeaderBytes = 16 << 10

// askHTTP2 asks for the path and looks at the status alone.
func (w *Watch) askHTTP2(conn net.Conn) error {
	x := newExchange(conn)
	defer x.release()
	if err := x.request("GET", w.host(), w.target.Check.Path, nil, nil); err != nil {
		return err
	}
	for {
		header, _, err := x.next()
		if err != nil {
			return err
		}
		if header == nil {
			return errors.New("answered HTTP/2 without a status")
		}
		if status := statusOf(header); status/100 != 1 {
			if !header.StreamEnded() {
				x.takeIn()
			}
			return w.judge(status)
		}
	}
}

// takeIn reads the rest of an answer, as for HTTP/1.
func (x *exchange) takeIn() {
	x.conn.SetReadDeadline(time.Now().Add(partingTime))
	for {
		header, data, err := x.next()
		if err != nil || header != nil && header.StreamEnded() || data != nil && data.StreamEnded() {
			return
		}
	}
}

// exchange is a request and its answer on an HTTP/2 connection of their own. It
// never opens the windows of flow control, so an answer has at most the 65,535
// bytes they begin with (RFC 9113 §6.9.2).
type exchange struct {
	conn   net.Conn
	reader *bufio.Reader
	framer *http2.Framer
	out    bytes.Buffer // frames to send
}

func newExchange(conn net.Conn) *exchange {
	x := &exchange{conn: conn, reader: takeReader(conn)}
	x.framer = http2.NewFramer(&x.out, x.reader)
	x.framer.ReadMetaHeaders = hpack.NewDecoder(4<<10, nil)
	x.framer.MaxHeaderListSize = maxHeaderBytes
	x.framer.SetMaxReadFrameSize(maxHeaderBytes)
	return x
}

func (x *exchange) release() { releaseReader(x.reader) }

// request sends the connection's preface and a request in one piece. A nil body is
// none. Fields and body together have to fit in two frames of 16,384 bytes, the
// size that every peer accepts (RFC 9113 §4.2).
func (x *exchange) request(method, authority, path string, fields []hpack.HeaderField, body []byte) error {
	scheme := "http"
	if _, ok := x.conn.(*tls.Conn); ok {
		scheme = "https"
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: method},
		{Name: ":scheme", Value: scheme},
		{Name: ":authority", Value: authority},
		{Name: ":path", Value: path},
		{Name: "user-agent", Value: userAgent},
	}, fields...) {
		if err := encoder.WriteField(f); err != nil {
			return err
		}
	}
	x.out.WriteString(http2.ClientPreface)
	err := errors.Join(
		x.framer.WriteSettings(
			http2.Setting{ID: http2.SettingEnablePush, Val: 0},
			http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHeaderBytes},
		),
		x.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID:      stream,
			BlockFragment: block.Bytes(),
			EndHeaders:    true,
			EndStream:     body == nil,
		}),
	)
	if body != nil {
		err = errors.Join(err, x.framer.WriteData(stream, true, body))
	}
	if err != nil {
		return err
	}
	return x.flush()
}

// next returns the next part of the answer: header fields (the header or trailer,
// which [http2.MetaHeadersFrame.StreamEnded] may end) or, when they are nil, data
// that counts until the next call. What is about the connection it deals with itself.
func (x *exchange) next() (*http2.MetaHeadersFrame, *http2.DataFrame, error) {
	for {
		frame, err := x.framer.ReadFrame()
		if err != nil {
			return nil, nil, failure(err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID != stream || f.Truncated {
				return nil, nil, fmt.Errorf("broke HTTP/2: %w", http2.ConnectionError(http2.ErrCodeProtocol))
			}
			return f, nil, nil
		case *http2.DataFrame:
			return nil, f, nil
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = x.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = x.framer.WritePing(true, f.Data)
			}
		case *http2.RSTStreamFrame:
			err = fmt.Errorf("refused the request: %s", f.ErrCode)
		case *http2.GoAwayFrame:
			// A member that is shutting down still finishes what it has begun.
			if f.ErrCode != http2.ErrCodeNo || f.LastStreamID < stream {
				err = fmt.Errorf("ended the connection: %s", f.ErrCode)
			}
		case *http2.PushPromiseFrame:
			err = fmt.Errorf("broke HTTP/2: %w", http2.ConnectionError(http2.ErrCodeProtocol))
		}
		if err == nil {
			err = x.flush()
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

func (x *exchange) flush() error {
	_, err := x.out.WriteTo(x.conn)
	return err
}

// failure says what reading a frame came to.
func failure(err error) error {
	var broken http2.ConnectionError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	case errors.As(err, &broken), errors.As(err, new(http2.StreamError)), errors.Is(err, http2.ErrFrameTooLarge):
		return fmt.Errorf("answered with something that is not HTTP/2: %w", err)
	}
	return err
}

// statusOf returns the status of a response, 0 when there is none.
func statusOf(f *http2.MetaHeadersFrame) int {
	status, err := strconv.Atoi(f.PseudoValue("status"))
	if err != nil {
		return 0
	}
	return status
}
