package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed configs
var configs embed.FS

// What the backend answers.
const (
	SmallBytes = 128        // at /
	LargeBytes = 100 * 1024 // at LargePath
	LargePath  = "/large"
	// forwardedPath answers with the X-Forwarded-For header that it got.
	forwardedPath = "/forwarded"
)

// Site is what all proxies share: the backend, the certificate, and where their
// files are.
type Site struct {
	// Bin holds auditlb, Peers the programs that stand for Caddy and ReverseProxy.
	Bin, Peers string
	// Dir is for everything that is written.
	Dir string
	// Workers is how many threads or processes a proxy may compute on.
	Workers int
	// CPU is the processor that proxies are bound to; -1 binds none.
	CPU int

	certFile, keyFile, pairFile string
	certPEM, keyPEM             string
	backendPort                 int
	backend                     *process
	syslog                      *syslogSink
}

// Open makes the certificate and starts the backend and the syslog server. What
// was begun is undone when it fails.
func (s *Site) Open(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.writeCertificate(); err != nil {
		return err
	}
	if s.syslog, err = listenSyslog(); err != nil {
		return err
	}
	return s.startBackend(ctx)
}

// Close ends the backend and the syslog server.
func (s *Site) Close() {
	if s.backend != nil {
		s.backend.stop()
	}
	if s.syslog != nil {
		s.syslog.close()
	}
}

// Trust is a client's configuration that trusts the site's certificate alone.
func (s *Site) Trust() (*tls.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.certPEM)) {
		return nil, errors.New("the site's certificate is not PEM")
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

func (s *Site) writeCertificate() error {
	var err error
	if s.certPEM, s.keyPEM, err = newCertificate(); err != nil {
		return err
	}
	s.certFile = filepath.Join(s.Dir, "cert.pem")
	s.keyFile = filepath.Join(s.Dir, "key.pem")
	s.pairFile = filepath.Join(s.Dir, "pair.pem") // as HAProxy wants it
	for file, text := range map[string]string{s.certFile: s.certPEM, s.keyFile: s.keyPEM, s.pairFile: s.certPEM + s.keyPEM} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// settings are what configuration files are made of.
type settings struct {
	Dir                  string
	User                 string // to run workers as; empty where it can't be chosen
	StreamModule         string // a file to load; empty if there is none or it is built in
	Workers, Connections int
	Backend, Syslog      int
	Cert, Key, Pair      string
	Ports                map[string]int // by front
	Admin                int
	SmallBody            string
	// Weight is of the only backend, so it means nothing: a reload changes it.
	Weight int
}

func (v *settings) change() { v.Weight = v.Weight%2 + 1 }

func (s *Site) settings(dir string, ports map[Front]int) settings {
	v := settings{
		Dir: dir, Workers: s.Workers, Connections: maxConnections,
		Backend: s.backendPort, Cert: s.certFile, Key: s.keyFile, Pair: s.pairFile, Ports: map[string]int{},
		SmallBody: smallBody(), Weight: 1,
	}
	for front, port := range ports {
		v.Ports[string(front)] = port
	}
	if s.syslog != nil {
		v.Syslog = s.syslog.port()
	}
	if os.Getuid() == 0 {
		v.User = "root" // workers must be able to read the directory
	}
	return v
}

// writeConfig fills a template in and writes it to the directory.
func writeConfig(dir, name string, v settings) (string, error) {
	t, err := template.ParseFS(configs, "configs/"+name)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	if err := t.Option("missingkey=error").Execute(file, v); err != nil {
		_ = file.Close()
		return "", err
	}
	return path, file.Close()
}

// freePorts returns ports of the loopback address that nothing listens on.
func freePorts(n int) ([]int, error) {
	var listeners []net.Listener
	defer func() {
		for _, listener := range listeners {
			_ = listener.Close()
		}
	}()
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		listeners = append(listeners, listener) // open until all are found, so that they differ
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
