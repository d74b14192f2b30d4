package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// maxKeyFile bounds a key file.
const maxKeyFile = 16 << 10

// Key is what a witness signs with: an Ed25519 key for cosignatures (C2SP
// tlog-cosignature, cosignature/v1) that is used for nothing else.
type Key struct {
	signer   *f_note.Signer
	verifier note.Verifier
	vkey     string
}

// Name is the witness's name, which is part of its key.
func (k *Key) Name() string { return k.signer.Name() }

// PublicKey is the key that cosignatures are checked with, of type 0x04.
func (k *Key) PublicKey() string { return k.vkey }

// LoadKey reads the key in a file, or makes one where there is no file. A key is for
// one name.
func LoadKey(path, name string) (*Key, error) {
	text, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeKey(path, name)
	}
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	skey, vkey, _ := strings.Cut(strings.TrimSpace(text), "\n")
	signer, err := f_note.NewSignerForCosignatureV1(strings.TrimSpace(skey))
	if err != nil {
		return nil, fmt.Errorf("witness key: %s must hold two lines, the private key and the public key", path)
	}
	vkey = strings.TrimSpace(vkey)
	verifier, err := cosignatureKey(vkey)
	if err != nil || verifier.Name() != signer.Name() || verifier.KeyHash() != signer.KeyHash() {
		return nil, fmt.Errorf("witness key: the private key and the public key in %s do not belong together", path)
	}
	if signer.Name() != name {
		return nil, fmt.Errorf("name is %q but the key in %s is for %q; a witness's name is for good", name, path, signer.Name())
	}
	return &Key{signer, verifier, vkey}, nil
}

func makeKey(path, name string) (string, error) {
	if !validName(name) {
		return "", fmt.Errorf("name %q must have neither spaces nor +, such as witness.example.com/w1", name)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	material := base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, private.Seed()...))
	// The signer does not read the hash that stands in its key, but knows it.
	signer, err := f_note.NewSignerForCosignatureV1("PRIVATE+KEY+" + name + "+00000000+" + material)
	if err != nil {
		return "", err
	}
	hash := fmt.Sprintf("%s+%08x+", name, signer.KeyHash())
	vkey := hash + base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, public...))
	text := "PRIVATE+KEY+" + hash + material + "\n" + vkey + "\n"
	return text, writeNew(path, text)
}

// validName says what may be a key's name (C2SP signed-note).
func validName(name string) bool {
	return name != "" && len(name) <= 255 && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == '+' || unicode.IsSpace(r) || unicode.IsControl(r) })
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

// writeNew writes a file that must not exist and syncs it: a witness that lost its
// key is another witness.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(path)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
