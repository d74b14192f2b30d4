package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const haproxyProgram = "haproxy"

// HAProxy runs the HAProxy that is installed: a master and a worker with a thread
// for each processor, which hands its sockets over when it is replaced.
func HAProxy(ctx context.Context, s *Site, dir string) (*Proxy, error) {
	version, err := command(ctx, haproxyProgram, "-v")
	if err != nil {
		return nil, err
	}
	ports, _, err := portsFor(0, HTTP, TLS, TCP, Logged, Told)
	if err != nil {
		return nil, err
	}
	v := s.settings(dir, ports)
	config, err := writeConfig(dir, "haproxy.cfg", v)
	if err != nil {
		return nil, err
	}
	master := haproxyMaster(filepath.Join(dir, "master.sock"))
	p, err := start(dir, haproxyProgram, nil, "-W", "-S", string(master), "-f", config)
	if err != nil {
		return nil, err
	}
	proxy := of("haproxy", p, ports)
	first, _, _ := strings.Cut(version, "\n")
	proxy.Version, _, _ = strings.Cut(first, " - ")
	proxy.reload = func(ctx context.Context) error {
		v.change()
		if _, err := writeConfig(dir, "haproxy.cfg", v); err != nil {
			return err
		}
		return master.reload(ctx, p.ended)
	}
	return proxy, nil
}

// haproxyMaster is the socket on which HAProxy's master process takes commands.
type haproxyMaster string

// reload returns when the master has replaced its worker and listens to commands
// again: one that comes earlier would be lost.
func (m haproxyMaster) reload(ctx context.Context, ended <-chan struct{}) error {
	before, err := m.reloads()
	if err != nil {
		return err
	}
	if _, err := m.ask("reload"); err != nil {
		return err
	}
	return poll(ctx, readyTimeout, ended, func() error {
		now, err := m.reloads()
		if err == nil && now == before {
			err = fmt.Errorf("still after reload %d", now)
		}
		return err
	})
}

var haproxyReloads = regexp.MustCompile(`\bmaster\s+(\d+) \[failed: 0\]`)

// reloads is how often the master has reloaded; a failed reload is an error.
func (m haproxyMaster) reloads() (int, error) {
	processes, err := m.ask("show proc")
	if err != nil {
		return 0, err
	}
	found := haproxyReloads.FindStringSubmatch(processes)
	if found == nil {
		return 0, fmt.Errorf("show proc answered %q", processes)
	}
	return strconv.Atoi(found[1])
}

func (m haproxyMaster) ask(command string) (string, error) {
	conn, err := net.Dial("unix", string(m))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	const timeout = 5 * time.Second
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return "", err
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil && !errors.Is(err, net.ErrClosed) {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 64<<10))
	return string(answer), err
}
