package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Caddy runs the Caddy built from the folder caddy.
func Caddy(ctx context.Context, s *Site, dir string) (*Proxy, error) {
	program := filepath.Join(s.Peers, "caddy")
	version, err := command(ctx, program, "version")
	if err != nil {
		return nil, err
	}
	ports, more, err := portsFor(1, HTTP, TLS, Logged)
	if err != nil {
		return nil, err
	}
	v := s.settings(dir, ports)
	v.Admin = more[0]
	config, err := writeConfig(dir, "Caddyfile", v)
	if err != nil {
		return nil, err
	}
	// Its data belongs into the directory, not into the user's home.
	env := []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	p, err := start(dir, program, env, "run", "--config", config, "--adapter", "caddyfile")
	if err != nil {
		return nil, err
	}
	proxy := of("caddy", p, ports)
	proxy.Version, _, _ = strings.Cut("caddy "+strings.TrimSpace(version), " h1:")
	proxy.reload = func(ctx context.Context) error {
		v.change()
		config, err := writeConfig(dir, "Caddyfile", v)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(config)
		if err != nil {
			return err
		}
		return loadCaddyfile(ctx, v.Admin, text)
	}
	return proxy, nil
}

// loadCaddyfile does what `caddy reload` does.
func loadCaddyfile(ctx context.Context, admin int, text []byte) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/load", admin)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Close = true // a reload ends the admin server's connections too
	return do(request)
}

// do sends a request that must succeed.
func do(request *http.Request) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", request.Method, request.URL, response.Status, bytes.TrimSpace(text))
	}
	return err
}
