//go:build !race

package splice

import (
	"fmt"
	"io"
	"testing"
)

// Under the race detector a sync.Pool forgets on purpose.
func TestCopyAllocatesNothing(t *testing.T) {
	for _, size := range []int{100, 4 * bulkBytes} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			usePipes(t, 1, 1)
			p := newPath(t)
			dst, src := rawOf(t, p.dst), rawOf(t, p.src)
			p.src.SetReadBuffer(4 << 20)
			p.receiver.SetReadBuffer(4 << 20)
			b := make([]byte, size)
			progress := func(int) {}
			allocs := testing.AllocsPerRun(100, func() {
				if _, err := p.sender.Write(b); err != nil {
					t.Fatal(err)
				}
				if _, err := Copy(dst, src, int64(size), progress); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(p.receiver, b); err != nil {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%.1f allocations", allocs)
			}
		})
	}
}
