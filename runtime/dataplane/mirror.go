package dataplane

import (
	"bytes"
	"context"
	"io"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
)

// maxMirrors bounds the copies under way at once; what comes on top is not copied.
const maxMirrors = 256

// mirror sends a copy of the request to another pool and forgets the answer. Only
// requests without a body, or with one that came with the head, are copied: copying
// must not hold up the original, nor hold its body.
func (x *exchange) mirror(pool string) {
	whole, ok := x.client.replay()
	if !ok || x.wantsUpgrade() {
		return
	}
	select {
	case x.front.engine.mirrors <- struct{}{}:
	default:
		return
	}
	copied := &mirrored{req: cloneRequest(x.req), content: bytes.Clone(whole)}
	m := &copied.x
	m.begin(x.conn, x.st, x.l, copied, &copied.req)
	m.id, m.source, m.trusted = bytes.Clone(x.id), x.source, x.trusted
	m.route, m.poolName = x.route, pool
	m.quiet = true
	go func() {
		m.forward()
		<-m.front.engine.mirrors
	}()
}

// cloneRequest copies a head, whose memory is about to be used again.
func cloneRequest(r *http1.Request) http1.Request {
	c := *r
	c.Method, c.Target, c.Host = bytes.Clone(r.Method), bytes.Clone(r.Target), bytes.Clone(r.Host)
	c.Path, c.Query, c.Upgrade = bytes.Clone(r.Path), bytes.Clone(r.Query), nil
	c.Fields = make([]http1.Field, len(r.Fields))
	for i, f := range r.Fields {
		f.Name, f.Value = bytes.Clone(f.Name), bytes.Clone(f.Value)
		c.Fields[i] = f
	}
	return c
}

// mirrored is the client's half of a copy: nobody. It implements client.
type mirrored struct {
	x       exchange
	req     http1.Request
	content []byte
}

func (m *mirrored) body() body {
	if m.req.Framing == http1.NoBody {
		return nil
	}
	b := &http1Body{from: eof{}, buf: m.content, w: len(m.content)}
	b.reset(http1.Length, int64(len(m.content)))
	return b
}
func (m *mirrored) replay() ([]byte, bool)             { return m.content, true }
func (m *mirrored) interim(*http1.Response) error      { return nil }
func (m *mirrored) begin(*http1.Response, int64) error { return nil }
func (m *mirrored) field(_, _ []byte)                  {}
func (m *mirrored) write([]byte, bool) error           { return nil }
func (m *mirrored) end([]http1.Field) error            { return nil }
func (m *mirrored) abort()                             {}
func (m *mirrored) interrupt()                         {}
func (m *mirrored) gone() bool                         { return false }
func (m *mirrored) watch(*rawconn.Conn)                {}
func (m *mirrored) unwatch(*rawconn.Conn) bool         { return true }
func (m *mirrored) version() string                    { return "1.1" }

func (m *mirrored) context() (context.Context, context.CancelFunc) {
	return context.WithCancel(m.x.front.engine.ending)
}

// eof is a reader at its end.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
