package rawconn

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Tick is how often timeouts are looked at.
	Tick = 100 * time.Millisecond
	// exactBelow is where timeouts become too short for Tick.
	exactBelow = 5 * Tick
	// fired marks a time that has run out, interrupted a read that somebody has ended.
	// Both are below 0.
	fired, interrupted = -1, -2

	shardCount = 8
	// watchEvery is how often connections are looked at that others watch.
	watchEvery = time.Second
)

// Poller watches over connections. The zero value is not usable.
type Poller struct {
	began time.Time
	now   atomic.Int64 // milliseconds since began, +1 so that it is never 0
	next  atomic.Uint32
	parking
	shards [shardCount]shard
	stop   chan struct{}
	once   sync.Once
}

// slot holds the times of one connection, apart from it: looking at ten thousand of
// them touches little memory. 0 is no bound. A slot is never used for
// a second connection: a goroutine that has not noticed an end may still write to it.
type slot struct {
	read, write atomic.Int64
	watch       atomic.Pointer[Conn] // see Conn.Watch
	abandoned   atomic.Bool
	onEnd       atomic.Pointer[func()] // see Conn.OnEnd
	conn        *Conn
	index       int // in shard.slots; protected by shard.mu
}

type shard struct {
	mu    sync.Mutex
	slots []*slot // in no order; protected by mu
}

// NewPoller returns a poller that runs until Close. Where parking can't be set up,
// connections are waited on.
func NewPoller() *Poller {
	p := &Poller{began: time.Now(), stop: make(chan struct{})}
	p.now.Store(1)
	p.startParking()
	go p.run()
	return p
}

// Close ends the poller. Connections that it watched have no timeouts any more.
func (p *Poller) Close() {
	p.once.Do(func() { close(p.stop) })
	p.stopParking()
}

// Wrap takes a connection under watch.
func (p *Poller) Wrap(tcp *net.TCPConn) (*Conn, error) {
	c := &Conn{tcp: tcp, poller: p, shard: &p.shards[p.next.Add(1)%shardCount]}
	if err := c.init(); err != nil {
		return nil, err
	}
	c.slot = &slot{conn: c}
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	c.slot.index = len(s.slots)
	s.slots = append(s.slots, c.slot)
	return c, nil
}

// remove ends the watch over a connection that is closed.
func (s *shard) remove(gone *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.slots) - 1
	s.slots[gone.index] = s.slots[last]
	s.slots[gone.index].index = gone.index
	s.slots[last] = nil
	s.slots = s.slots[:last]
}

// due is the time at which d from now has passed; 0 for no bound.
func (p *Poller) due(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	// Up to one Tick has passed since now was set.
	return p.now.Load() + (d + Tick).Milliseconds()
}

func (p *Poller) run() {
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
			now := time.Since(p.began).Milliseconds() + 1
			p.now.Store(now)
			for i := range p.shards {
				p.shards[i].sweep(now)
				// The shards take turns, each once in watchEvery.
				if n%int(watchEvery/Tick) == i%int(watchEvery/Tick) {
					p.shards[i].lookAround()
				}
			}
		case <-p.stop:
			return
		}
	}
}

// sweep interrupts what is due.
func (s *shard) sweep(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range s.slots {
		if t := slot.read.Load(); t > 0 && t <= now && slot.read.CompareAndSwap(t, fired) {
			slot.conn.readDue()
		}
		if t := slot.write.Load(); t > 0 && t <= now && slot.write.CompareAndSwap(t, fired) {
			_ = slot.conn.tcp.SetWriteDeadline(longAgo)
		}
	}
}

// lookAround ends reads on behalf of somebody who has left.
func (s *shard) lookAround() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range s.slots {
		if other := slot.watch.Load(); other != nil && other.hasLeft() {
			slot.conn.Abandon()
		}
		if tell := slot.onEnd.Load(); tell != nil && slot.conn.hasLeft() {
			(*tell)()
		}
	}
}

// hasLeft reports whether the connection failed, or its other side has ended its half
// and had done so when it was last looked at. It is the poller's to call.
func (c *Conn) hasLeft() bool {
	ended, failed := c.ended()
	left := failed || ended && c.endSeen
	c.endSeen = ended
	return left
}

// readDue acts on a read time that has run out. It is called with the shard locked.
func (c *Conn) readDue() {
	switch c.state.Load() {
	case active:
		if c.slot.read.Load() == fired { // nobody has ended the wait since
			_ = c.tcp.SetReadDeadline(longAgo)
		}
	case idle:
		if !c.state.CompareAndSwap(idle, parked) {
			return // taken back: Take has seen that the time ran out
		}
		c.slot.read.Store(c.poller.due(c.idleFor))
		if c.poller.park(c) != nil {
			// Unwatched, but its time is: it is given up when that has passed.
			return
		}
	case parked:
		c.awake(ErrTimeout)
	}
}
