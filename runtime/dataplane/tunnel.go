package dataplane

import (
	"bytes"
	"errors"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/splice"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/tcp"
)

// spliceFrom is the rest of a body from which splicing it is tried.
const spliceFrom = 32 << 10

// spliceBody sends the response's body from the member's socket to the client's
// without copying it, if both speak plain HTTP/1.1 and there is much of it. It is
// done, or has not begun.
func (x *exchange) spliceBody(resp response) (done bool, err error) {
	t, ok := resp.(*http1Try)
	if !ok || t.framing != http1.Length || t.conn.TLS != nil || t.left-int64(t.w-t.r) < spliceFrom || !x.deadline.IsZero() || !splice.Supported() {
		return false, nil
	}
	c, ok := x.client.(*http1Conn)
	if !ok || c.tls != nil {
		return false, nil
	}
	var first []byte
	if t.r < t.w {
		if first, err = t.next(); err != nil {
			return false, err
		}
	}
	if err := c.flush(first); err != nil {
		return false, err
	}
	x.bytesOut += int64(len(first))
	if t.spliced == nil {
		t.spliced = t.onSpliced
	}
	from, to := t.conn.Raw, c.raw
	if err := from.ExtendRead(); err != nil {
		return false, err
	}
	moved, err := splice.Copy(to.System(), from.System(), t.left, t.spliced)
	x.bytesOut += moved
	t.left -= moved
	t.done = t.left == 0
	if !from.Disarm() || !to.DisarmWrite() {
		err = errors.Join(err, errCutShort)
	}
	return true, err
}

// onSpliced gives each side its time again.
func (t *http1Try) onSpliced(moved int) {
	if moved == 0 {
		_ = t.x.conn.raw.ExtendWrite()
		return
	}
	_ = t.conn.Raw.ExtendRead()
}

// tunnel passes on that the member has switched protocols (RFC 9110 §7.8), and then
// carries what the two say to each other until both have ended.
func (x *exchange) tunnel(resp response) {
	t, ok := resp.(*http1Try)
	c, isHTTP1 := x.client.(*http1Conn)
	if !ok || !isHTTP1 || c.begin(&t.resp, noBody) != nil || c.flush(nil) != nil {
		x.abandon(resp)
		return
	}
	x.upgraded, c.last = true, true
	client := tcp.Peer{Conn: c.raw, Ahead: c.w.in[c.head:c.n]}
	if c.tls != nil {
		client.Conn = c.tls
	}
	member := tcp.Peer{Conn: t.conn.Raw, Ahead: bytes.Clone(t.rest())}
	if t.conn.TLS != nil {
		member.Conn = t.conn.TLS
	}
	t.giveBuffer()
	c.unwatch(t.conn.Raw)
	c.raw.SetReadTimeout(0)
	t.conn.Raw.SetReadTimeout(0)
	c.raw.Disarm()
	t.conn.Raw.Disarm()
	traffic, err := tcp.Relay(client, member, x.pool.config.Timeouts.Idle.Std())
	x.bytesIn, x.bytesOut = traffic.ToMember, traffic.ToClient
	if err != nil && !errors.Is(err, tcp.ErrIdle) {
		x.front.engine.log.Debug("tunnel ended", "listener", x.front.name, "member", x.member.key, "error", err)
	}
	t.release()
}
