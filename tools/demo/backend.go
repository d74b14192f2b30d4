package main

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// backend is a small web server that answers every request with its name.
type backend struct {
	name   string
	addr   string
	server *http.Server
}

func startBackend(name string) (*backend, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &backend{
		name: name,
		addr: listener.Addr().String(),
		server: &http.Server{
			ReadHeaderTimeout: 10 * time.Second,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintln(w, name)
			}),
		},
	}
	go func() { _ = b.server.Serve(listener) }() // ends with http.ErrServerClosed
	return b, nil
}

func (b *backend) stop() { _ = b.server.Close() }

// freePort returns a port of the loopback address that nothing listens on.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
