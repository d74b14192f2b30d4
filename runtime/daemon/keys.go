package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/agebox"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// PublicKeyName is the file in the data directory that holds the log's public
// key, for those who verify.
const PublicKeyName = "log.pub"

// maxKeyFile bounds a key file.
const maxKeyFile = 16 << 10

// loadSigner reads the log's signing key, or makes one for a new log. A log
// that has entries never gets a new key by itself: that would be a new log under
// an old name. Head is the log's newest checkpoint.
func loadSigner(c Config, newLog bool, head []byte) (*audit.Signer, error) {
	if err := settleNextKey(c, head); err != nil {
		return nil, err
	}
	if newLog {
		if _, err := os.Stat(c.Log.KeyFile); errors.Is(err, fs.ErrNotExist) {
			if err := makeSigningKey(c); err != nil {
				return nil, fmt.Errorf("log signing key: %w", err)
			}
		}
	}
	signer, err := readSigner(c.Log.KeyFile)
	if err != nil {
		return nil, err
	}
	if c.Log.Origin != "" && c.Log.Origin != signer.Origin() {
		return nil, fmt.Errorf("log.origin is %q but the log's key is for %q; an origin is for good", c.Log.Origin, signer.Origin())
	}
	return signer, publishKey(c, signer)
}

// readSigner reads a file with a private key and its public key.
func readSigner(path string) (*audit.Signer, error) {
	text, err := readKey(path)
	if err != nil {
		return nil, fmt.Errorf("log signing key: %w", err)
	}
	skey, vkey, ok := strings.Cut(strings.TrimSpace(text), "\n")
	if !ok {
		return nil, fmt.Errorf("log signing key: %s must hold two lines, the private key and the public key", path)
	}
	signer, err := audit.NewSigner(strings.TrimSpace(skey), strings.TrimSpace(vkey))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return signer, nil
}

// publishKey writes the public key where it isn't yet: the private key may be
// the operator's own, it may be a new one, or the first start may have been cut
// short.
func publishKey(c Config, signer *audit.Signer) error {
	path, text := filepath.Join(c.DataDir, PublicKeyName), signer.PublicKey()+"\n"
	if there, err := os.ReadFile(path); err == nil && string(there) == text {
		return nil
	}
	if err := replaceFile(path, text, 0o644); err != nil {
		return fmt.Errorf("log public key: %w", err)
	}
	return nil
}

func makeSigningKey(c Config) error {
	origin := c.Log.Origin
	if origin == "" {
		origin = "auditlb/" + strings.ToLower(rand.Text()[:12])
	}
	text, err := signingKey(origin)
	if err != nil {
		return err
	}
	return replaceFile(c.Log.KeyFile, text, 0o600) // there is none yet, and never half of one
}

// signingKey makes a key for an origin, as its file has it.
func signingKey(origin string) (string, error) {
	skey, vkey, err := audit.GenerateKey(origin)
	if err != nil {
		return "", fmt.Errorf("log.origin %q: %w", origin, err)
	}
	return skey + "\n" + vkey + "\n", nil
}

// loadBox reads the identity that private keys are sealed to, or makes one for
// a new log.
func loadBox(c Config, newLog bool) (*agebox.Box, error) {
	if text := secretsKey(); text != "" {
		box, err := agebox.New(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", EnvSecretsKey, err)
		}
		return box, nil
	}
	text, err := readKey(c.Secrets.KeyFile)
	if errors.Is(err, fs.ErrNotExist) && newLog {
		if text, err = agebox.Generate(); err == nil {
			text += "\n"
			err = replaceFile(c.Secrets.KeyFile, text, 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("secrets key: %w", err)
	}
	box, err := agebox.New(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Secrets.KeyFile, err)
	}
	return box, nil
}

// readKey reads a key file, and refuses one that others can read.
func readKey(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others (mode %v): chmod 600 it", path, info.Mode().Perm())
	}
	if info.Size() > maxKeyFile {
		return "", fmt.Errorf("%s is too large for a key", path)
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// writeNew writes a file that must not exist and syncs it: a key that seals or
// signs what is kept must not be lost with it.
func writeNew(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(path)))
}

// replaceFile writes a file so that either the old or the new content is there,
// whatever happens.
func replaceFile(path, text string, mode fs.FileMode) error {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(temp, text, mode); err != nil {
		return err
	}
	return errors.Join(os.Rename(temp, path), syncDir(filepath.Dir(path)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
