package proxy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const nginxProgram = "nginx"

// Nginx runs the nginx that is installed, a worker for each processor.
func Nginx(ctx context.Context, s *Site, dir string) (*Proxy, error) {
	version, err := command(ctx, nginxProgram, "-v")
	if err != nil {
		return nil, err
	}
	fronts := []Front{HTTP, TLS, Logged, Told}
	module, ok := NginxStream(ctx)
	if ok {
		fronts = append(fronts, TCP)
	}
	ports, _, err := portsFor(0, fronts...)
	if err != nil {
		return nil, err
	}
	v := s.settings(dir, ports)
	if ok {
		v.StreamModule = module
	}
	config, err := writeConfig(dir, "nginx.conf", v)
	if err != nil {
		return nil, err
	}
	p, err := start(dir, nginxProgram, nil, "-p", dir+"/", "-e", "stderr", "-c", config)
	if err != nil {
		return nil, err
	}
	proxy := of("nginx", p, ports)
	proxy.Version = strings.TrimPrefix(strings.TrimSpace(version), "nginx version: ")
	proxy.reload = func(ctx context.Context) error {
		v.change()
		if _, err := writeConfig(dir, "nginx.conf", v); err != nil {
			return err
		}
		return reloadNginx(ctx, p)
	}
	return proxy, nil
}

// NginxStream tells whether the nginx that is installed can pass TCP on. The
// module for it is a file, which distributions ship apart, or built in: "".
func NginxStream(ctx context.Context) (module string, ok bool) {
	build, err := command(ctx, nginxProgram, "-V")
	if err != nil {
		return "", false
	}
	arguments := strings.Fields(build)
	if slices.Contains(arguments, "--with-stream") {
		return "", true
	}
	for _, argument := range arguments {
		if dir, found := strings.CutPrefix(argument, "--modules-path="); found {
			module = filepath.Join(dir, "ngx_stream_module.so")
			_, err := os.Stat(module)
			return module, err == nil
		}
	}
	return "", false
}

// reloadNginx returns when the master process has begun a new worker.
func reloadNginx(ctx context.Context, p *process) error {
	before, err := p.group().PIDs()
	if err != nil {
		return err
	}
	if err := p.signal(syscall.SIGHUP); err != nil {
		return err
	}
	return poll(ctx, readyTimeout, p.ended, func() error {
		now, err := p.group().PIDs()
		if err == nil && !slices.ContainsFunc(now, func(pid int) bool { return !slices.Contains(before, pid) }) {
			err = fmt.Errorf("no new worker beside %v", before)
		}
		return err
	})
}
