package witness

import (
	"log/slog"
	"net/http"
	"os"
	"time"
)

// Names of files, for tests that damage them.
const (
	CheckpointDir = checkpointDir
	EvidenceDir   = evidenceDir
	TempPrefix    = tempPrefix
	MaxAnswer     = maxAnswer
)

// OriginHash is the name of an origin in paths.
func OriginHash(origin string) string { return originHash(origin) }

// FailDisk lets each step of keeping a checkpoint end as the function says; nil is
// what happens otherwise.
func (s *Server) FailDisk(sync, rename, sweep func() error) {
	s.store.sync, s.store.rename, s.store.sweep = (*os.File).Sync, os.Rename, syncDir
	if sync != nil {
		s.store.sync = func(*os.File) error { return sync() }
	}
	if rename != nil {
		s.store.rename = func(string, string) error { return rename() }
	}
	if sweep != nil {
		s.store.sweep = func(string) error { return sweep() }
	}
}

// HTTPServer is what Serve answers with, with another patience.
func HTTPServer(h http.Handler, body time.Duration) *http.Server {
	return httpServer(h, body, slog.New(slog.DiscardHandler))
}
