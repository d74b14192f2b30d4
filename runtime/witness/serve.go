package witness

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// maxConnections is how many clients may be connected; others wait.
	maxConnections = 256
	// bodyTimeout bounds the time from a request's first byte to its last.
	bodyTimeout = 10 * time.Second
	// stopTimeout is how long requests in hand may take when the witness stops.
	stopTimeout = 5 * time.Second
)

// Serve answers on the configured address until ctx ends. ready is told the URL once
// requests are answered.
func Serve(ctx context.Context, c Config, handler http.Handler, logger *slog.Logger, ready func(url string)) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.Address)
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	// The port may be one that was free.
	c.Address = l.Addr().String()
	l = netutil.LimitListener(l, maxConnections)
	if c.TLS != nil {
		config, err := c.TLS.config()
		if err != nil {
			return errors.Join(err, l.Close())
		}
		l = tls.NewListener(l, config)
	}
	s := httpServer(handler, bodyTimeout, logger)
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	ready(c.URL())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := s.Shutdown(ending); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

func httpServer(h http.Handler, body time.Duration, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: body / 2,
		ReadTimeout:       body,
		WriteTimeout:      2 * body,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}
