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
	fronts := []Front{HTTP, TLS, Logged}
	module := nginxStreamModule(ctx)
	if module != "" {
		fronts = append(fronts, TCP)
	}
	ports, _, err := portsFor(0, fronts...)
	if err != nil {
		return nil, err
	}
	v := s.settings(dir, ports)
	v.StreamModule = module
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

// nginxStreamModule is the file of the module that passes TCP on, which
// distributions ship apart; "" if it is not there.
func nginxStreamModule(ctx context.Context) string {
	build, err := command(ctx, nginxProgram, "-V")
	if err != nil {
		return ""
	}
	for _, argument := range strings.Fields(build) {
		if dir, ok := strings.CutPrefix(argument, "--modules-path="); ok {
			file := filepath.Join(dir, "ngx_stream_module.so")
			if _, err := os.Stat(file); err == nil {
				return file
			}
		}
	}
	return ""
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
