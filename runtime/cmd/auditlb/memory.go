package main

import (
	"os"
	"runtime"
)

// heapFloorBytes is added to the heap in use by which the garbage collector paces itself.
const heapFloorBytes = 16 << 20

// holdHeapFloor keeps the garbage collector from running for every few megabytes while
// little is in use, as it would under TLS handshakes and HTTP/2. The block it holds until
// release is never touched, so it takes no memory of the machine's. Whoever sets GOGC
// wants it otherwise.
func holdHeapFloor() (release func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	block := make([]byte, heapFloorBytes)
	return func() { runtime.KeepAlive(&block) }
}
