package proxy

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
)

// ReverseProxy runs the program in the folder reverseproxy.
func ReverseProxy(_ context.Context, s *Site, dir string) (*Proxy, error) {
	ports, _, err := portsFor(0, HTTP, TLS)
	if err != nil {
		return nil, err
	}
	p, err := start(
		dir, filepath.Join(s.Peers, "reverseproxy"), nil,
		"-http", fmt.Sprintf("127.0.0.1:%d", ports[HTTP]),
		"-https", fmt.Sprintf("127.0.0.1:%d", ports[TLS]),
		"-backend", fmt.Sprintf("http://127.0.0.1:%d", s.backendPort),
		"-cert", s.certFile, "-key", s.keyFile,
	)
	if err != nil {
		return nil, err
	}
	proxy := of("reverseproxy", p, ports)
	proxy.Version = "net/http/httputil of " + runtime.Version()
	return proxy, nil
}
