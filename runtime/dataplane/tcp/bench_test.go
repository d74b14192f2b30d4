package tcp

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkMessages passes a message to the member and back.
func BenchmarkMessages(b *testing.B) {
	for _, kind := range []string{"tcp", "opaque", "tls"} {
		for _, size := range []int{100, 8 << 10} {
			b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
				r := start(b, kind, patience)
				echoed, message := make([]byte, size), make([]byte, size)
				b.ReportAllocs()
				for b.Loop() {
					r.client.Write(message)
					io.ReadFull(r.member, echoed)
					r.member.Write(echoed)
					if _, err := io.ReadFull(r.client, message); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkBulk passes a stream from the member to the client.
func BenchmarkBulk(b *testing.B) {
	const chunk = 1 << 20
	for _, kind := range []string{"tcp", "opaque", "tls"} {
		b.Run(kind, func(b *testing.B) {
			r := start(b, kind, patience)
			go func() {
				sent := make([]byte, chunk)
				for {
					if _, err := r.member.Write(sent); err != nil {
						return
					}
				}
			}()
			got := make([]byte, chunk)
			b.SetBytes(chunk)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.ReadFull(r.client, got); err != nil {
					b.Fatal(err)
				}
			}
			reset(r.client)
		})
	}
}
