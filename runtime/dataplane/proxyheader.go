package dataplane

import (
	"bytes"
	"errors"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/proxyproto"
)

// readProxyHeader reads the PROXY header that a trusted peer's connection begins
// with. What was read behind it is given back to the connection.
func (c *clientConn) readProxyHeader(within time.Duration) error {
	c.raw.SetReadTimeout(within)
	if err := c.raw.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	space := readBuffers.Get().(*[readBufferBytes]byte)
	defer readBuffers.Put(space)
	for n := 0; ; {
		more, err := c.raw.Read(space[n:])
		if err != nil {
			return err
		}
		n += more
		h, size, err := proxyproto.Parse(space[:n])
		if errors.Is(err, proxyproto.ErrIncomplete) && n < len(space) {
			continue
		}
		if err != nil {
			return err
		}
		if h.Proxied {
			c.client, c.local = h.Client, h.Local
		}
		if size < n {
			c.raw.Unread(bytes.Clone(space[size:n]))
		}
		return c.raw.SetReadDeadline(time.Time{})
	}
}
