package proxy

import (
	"net"
	"sync/atomic"
)

// syslogSink is a syslog server on a UDP port of the loopback address. It counts
// messages and forgets them: what a log server does with them is not measured.
type syslogSink struct {
	conn     *net.UDPConn
	messages atomic.Int64
	done     chan struct{} // closed when the reader has ended
}

func listenSyslog() (*syslogSink, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &syslogSink{conn: conn, done: make(chan struct{})}
	go s.read()
	return s, nil
}

func (s *syslogSink) read() {
	defer close(s.done)
	message := make([]byte, 64<<10)
	for {
		if _, err := s.conn.Read(message); err != nil {
			return // closed
		}
		s.messages.Add(1)
	}
}

func (s *syslogSink) port() int { return s.conn.LocalAddr().(*net.UDPAddr).Port }

func (s *syslogSink) close() {
	_ = s.conn.Close()
	<-s.done
}
