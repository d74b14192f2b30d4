package splice

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkCopy moves bodies of a known length, by buffer and by pipe.
func BenchmarkCopy(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 100 << 10, 1 << 20} {
		for _, way := range []struct {
			name  string
			pipes int
		}{{"pipe", 1}, {"buffer", 0}} {
			b.Run(fmt.Sprintf("%d/%s", size, way.name), func(b *testing.B) {
				usePipes(b, way.pipes, way.pipes)
				p := newPath(b)
				dst, src := rawOf(b, p.dst), rawOf(b, p.src)
				go io.Copy(io.Discard, struct{ io.Reader }{p.receiver})
				go func() {
					sent := make([]byte, size)
					for {
						if _, err := p.sender.Write(sent); err != nil {
							return
						}
					}
				}()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Copy(dst, src, int64(size), nil); err != nil {
						b.Fatal(err)
					}
				}
				p.src.Close()
			})
		}
	}
}
