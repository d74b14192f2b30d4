// Command axe prints the path of axe-core, with which browser tests look for what keeps
// people from using the console. If it is not there yet, it is fetched.
//
//	go -C tools run ./axe
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

const (
	version = "4.14.1"
	archive = "https://registry.npmjs.org/axe-core/-/axe-core-" + version + ".tgz"
	// member is the file of the archive that is kept, and digest its SHA-512.
	member = "package/axe.min.js"
	digest = "e63e659f9806d7ae5bd40899043b0871a5062c5442b01b3f1a3edf5eaf50bf5c3a7104a72463293b4ad1b77c661a0d4e40e850dec89de9d6ece70a8c13a9af17"

	fetchTimeout = 2 * time.Minute
	maxArchive   = 16 << 20
	maxMember    = 4 << 20
)

func main() {
	dir := flag.String("dir", "../bin", "where the file is kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	path, err := find(ctx, *dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "axe:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run.
	}
	fmt.Println(path)
}

// find returns the absolute path of the file, which is fetched unless it is there as it
// should be.
func find(ctx context.Context, dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, "axe-"+version+".min.js"))
	if err != nil {
		return "", err
	}
	if held, err := os.ReadFile(path); err == nil && genuine(held) {
		return path, nil
	}
	fmt.Fprintf(os.Stderr, "fetching axe-core %s into %s\n", version, dir)
	content, err := fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("fetch axe-core %s: %w", version, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", err
	}
	// Whole or not at all: others may be reading it.
	partial := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(partial, content, 0o600); err != nil {
		return "", err
	}
	return path, os.Rename(partial, path)
}

func genuine(content []byte) bool {
	sum := sha512.Sum512(content)
	return hex.EncodeToString(sum[:]) == digest
}

// fetch downloads the archive and takes the file out of it.
func fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, archive, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", archive, resp.Status)
	}
	content, err := unpack(io.LimitReader(resp.Body, maxArchive))
	if err != nil {
		return nil, err
	}
	if !genuine(content) {
		return nil, fmt.Errorf("%s of %s is not what it was", member, archive)
	}
	return content, nil
}

// unpack returns the file of a gzipped tar.
func unpack(in io.Reader) ([]byte, error) {
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the archive has no " + member)
		}
		if err != nil {
			return nil, err
		}
		if header.Name != member {
			continue
		}
		var content bytes.Buffer
		_, err = io.Copy(&content, io.LimitReader(files, maxMember))
		return content.Bytes(), err
	}
}
