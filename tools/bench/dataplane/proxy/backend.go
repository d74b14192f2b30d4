package proxy

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/procfs"
)

func smallBody() string { return strings.Repeat("0123456789abcdef", SmallBytes/16) }

// startBackend runs an nginx of its own that serves a small response from its
// configuration and a large one from a file.
func (s *Site) startBackend(ctx context.Context) error {
	dir := filepath.Join(s.Dir, "backend")
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o700); err != nil {
		return err
	}
	large := strings.Repeat("0123456789abcdef", LargeBytes/16)
	if err := os.WriteFile(filepath.Join(dir, "files", filepath.Base(LargePath)), []byte(large), 0o600); err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	s.backendPort = ports[0]
	config, err := writeConfig(dir, "backend.conf", s.settings(dir, nil))
	if err != nil {
		return err
	}
	if s.backend, err = start(dir, nginxProgram, nil, "-p", dir+"/", "-e", "stderr", "-c", config); err != nil {
		return err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", s.backendPort)
	err = poll(ctx, readyTimeout, s.backend.ended, func() error {
		_, err := fetch(http.DefaultClient, url+LargePath, LargeBytes)
		return err
	})
	if err != nil {
		return fmt.Errorf("the backend: %w\n%s", err, s.backend.log())
	}
	return nil
}

// Backend is the backend's processes.
func (s *Site) Backend() procfs.Group { return s.backend.group() }
