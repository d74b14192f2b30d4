package tcp

import (
	"io"
	"net"
	"slices"
	"testing"
)

// scripted is a connection that receives messages of given lengths and then ends. It
// remembers the space that it was offered for each.
type scripted struct {
	piped
	messages []int
	offered  []int
}

func (s *scripted) Read(b []byte) (int, error) {
	s.offered = append(s.offered, len(b))
	if len(s.messages) == 0 {
		return 0, io.EOF
	}
	n := s.messages[0]
	s.messages = s.messages[1:]
	return min(n, len(b)), nil
}

// taking takes whatever it is sent.
type taking struct{ piped }

func (taking) Write(b []byte) (int, error) { return len(b), nil }

func TestOnlyABusyConnectionHasALargeBuffer(t *testing.T) {
	from := &scripted{messages: []int{100, 1 << 20, 1 << 20, 10 << 10, 100, 1}}
	var to net.Conn = taking{}
	if err := new(flow).pump(from, to); err != nil {
		t.Fatal(err)
	}
	want := []int{smallBytes, smallBytes, largeBytes, largeBytes, largeBytes, smallBytes, smallBytes}
	if !slices.Equal(from.offered, want) {
		t.Errorf("the buffers were %v, want %v", from.offered, want)
	}
}
