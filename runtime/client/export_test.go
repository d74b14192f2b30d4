package client

import "time"

// SetClock gives the client another clock to measure sessions with.
func (c *Client) SetClock(now func() time.Time) { c.sessions.now = now }
