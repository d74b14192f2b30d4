package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// TokenSource gives ID tokens of an identity provider, such as a CI.
type TokenSource interface {
	// IDToken returns a token that is fit to be exchanged now. It is asked again
	// for each login, returns when ctx ends, and keeps tokens out of its errors.
	IDToken(ctx context.Context) (api.Secret, error)
}

// TokenSourceFunc is a function as a [TokenSource].
type TokenSourceFunc func(ctx context.Context) (api.Secret, error)

// IDToken implements [TokenSource].
func (f TokenSourceFunc) IDToken(ctx context.Context) (api.Secret, error) { return f(ctx) }

// Static is a token that was handed over once, as in an environment variable.
// It can be exchanged until it ends, and no session can be had after that.
func Static(token api.Secret) TokenSource {
	return TokenSourceFunc(func(context.Context) (api.Secret, error) {
		return trimmed([]byte(token.Reveal())), nil
	})
}

// File reads a token from a file, each time anew: whoever writes it may put a
// newer one there. It must be a regular file of at most [MaxIDTokenBytes].
func File(path string) TokenSource {
	return TokenSourceFunc(func(context.Context) (api.Secret, error) {
		// Opening a pipe would wait for somebody to write to it.
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("token file: %w", err)
		}
		if !info.Mode().IsRegular() {
			return "", fmt.Errorf("token file: %s is not a regular file", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("token file: %w", err)
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, MaxIDTokenBytes+1))
		if err != nil {
			return "", fmt.Errorf("token file: %w", err)
		}
		if len(text) > MaxIDTokenBytes {
			return "", fmt.Errorf("token file: %s is larger than %d bytes", path, MaxIDTokenBytes)
		}
		return trimmed(text), nil
	})
}

// commandTimeout bounds one execution of a command that prints a token.
const commandTimeout = 30 * time.Second

// Command runs a program, without a shell, that prints a token and nothing else
// to its standard output. What it says on standard error is dropped.
func Command(program string, args ...string) TokenSource {
	return TokenSourceFunc(func(ctx context.Context) (api.Secret, error) {
		ctx, cancel := context.WithTimeout(ctx, commandTimeout)
		defer cancel()
		out := &boundedBuffer{limit: MaxIDTokenBytes, full: cancel}
		cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // the program is its caller's choice
		cmd.Stdout = out
		// What the program started may hold its output open after it was killed.
		cmd.WaitDelay = time.Second
		err := cmd.Run()
		name := filepath.Base(program)
		switch {
		case out.overflowed:
			return "", fmt.Errorf("%s printed more than %d bytes", name, MaxIDTokenBytes)
		case ctx.Err() != nil:
			return "", fmt.Errorf("%s: %w", name, ctx.Err())
		case err != nil:
			return "", fmt.Errorf("%s: %w", name, err)
		}
		return trimmed(out.kept), nil
	})
}

// trimmed is a token without what files and programs put around it.
func trimmed(text []byte) api.Secret { return api.Secret(bytes.TrimSpace(text)) }

// boundedBuffer keeps up to limit bytes, and calls full when there are more. It
// embeds no buffer: whoever copies into that would go round the bound.
type boundedBuffer struct {
	kept       []byte
	limit      int
	full       func()
	overflowed bool
}

// Write implements io.Writer.
func (b *boundedBuffer) Write(p []byte) (int, error) {
	if len(b.kept)+len(p) > b.limit {
		b.overflowed = true
		b.full()
		return 0, io.ErrShortWrite
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}
