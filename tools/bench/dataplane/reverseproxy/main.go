// Command reverseproxy is the balancer that comes with Go's standard library, to
// be measured against: httputil.ReverseProxy with connections and buffers that it
// keeps.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

const idleTimeout = 15 * time.Minute

func main() {
	plain := flag.String("http", "", "address for HTTP")
	secure := flag.String("https", "", "address for HTTP/1.1 and HTTP/2 over TLS")
	backend := flag.String("backend", "", "URL of the backend")
	cert := flag.String("cert", "", "file with the certificate")
	key := flag.String("key", "", "file with its key")
	flag.Parse()
	target, err := url.Parse(*backend)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: newProxy(target), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout}
	failed := make(chan error)
	go func() { failed <- serve(*plain, server.Serve) }()
	go func() {
		failed <- serve(*secure, func(l net.Listener) error { return server.ServeTLS(l, *cert, *key) })
	}()
	log.Fatal(<-failed)
}

func serve(address string, accept func(net.Listener) error) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return accept(listener)
}

func newProxy(target *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     idleTimeout,
			DisableCompression:  true,
		},
		BufferPool: &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}},
	}
}

// buffers are those that bodies are copied through.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }
