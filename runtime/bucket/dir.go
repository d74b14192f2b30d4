package bucket

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
)

// Dir is a bucket in a directory. Objects are files that only their owner can
// read. Nothing outside the directory is reached, also not by way of links in it.
type Dir struct {
	path string
	root *os.Root
}

// OpenDir opens a directory as a bucket, and makes it if it isn't there.
func OpenDir(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Dir{dir, root}, nil
}

// Close gives the directory back.
func (d *Dir) Close() error { return d.root.Close() }

// String implements Bucket.
func (d *Dir) String() string { return "directory " + d.path }

// Put implements Bucket. A hang of the file system is the one thing that ctx does
// not end.
func (d *Dir) Put(ctx context.Context, key string, data []byte) error {
	if err := checkPut(key, data); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.makeFolders(path.Dir(key)); err != nil {
		return d.failed("write", key, err)
	}
	temp := path.Join(path.Dir(key), ".new-"+rand.Text())
	err := d.write(temp, data)
	if err == nil {
		err = d.place(temp, key)
	}
	if removed := d.root.Remove(temp); err == nil && !errors.Is(removed, fs.ErrNotExist) {
		err = removed
	}
	if errors.Is(err, fs.ErrExist) {
		err = d.same(ctx, key, data)
	}
	if err != nil {
		return d.failed("write", key, err)
	}
	return d.failed("write", key, d.sync(path.Dir(key)))
}

func (d *Dir) write(name string, data []byte) error {
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// place gives a file its name unless the name is taken: a second link fails then,
// where a rename would overwrite. File systems without links get the rename, after a
// look: there, two who write at the same moment are not told apart.
func (d *Dir) place(temp, key string) error {
	err := d.root.Link(temp, key)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := d.root.Lstat(key); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fs.ErrExist)
	}
	return d.root.Rename(temp, key)
}

// same reports ErrExists unless a key holds these bytes.
func (d *Dir) same(ctx context.Context, key string, data []byte) error {
	held, err := d.Get(ctx, key)
	if err == nil && !bytes.Equal(held, data) {
		err = ErrExists
	}
	return err
}

// makeFolders makes a folder and those above it, and syncs what it made into the one
// above.
func (d *Dir) makeFolders(name string) error {
	if name == "." {
		return nil
	}
	if _, err := d.root.Stat(name); err == nil {
		return nil
	}
	if err := d.makeFolders(path.Dir(name)); err != nil {
		return err
	}
	if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.sync(path.Dir(name))
}

func (d *Dir) sync(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get implements Bucket.
func (d *Dir) Get(ctx context.Context, key string) ([]byte, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := d.read(key)
	return data, d.failed("read", key, err)
}

func (d *Dir) read(key string) ([]byte, error) {
	info, err := d.root.Stat(key)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would hold whoever opens it
		return nil, ErrNotFound
	}
	f, err := d.root.Open(key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxObjectBytes+1))
	if err == nil && len(data) > MaxObjectBytes {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// List implements Bucket. Files that no key can name are passed over.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		d.list(ctx, "", prefix, yield)
	}
}

// list yields what is in a folder, "" or one that ends in a slash.
func (d *Dir) list(ctx context.Context, folder, prefix string, yield func(string, error) bool) bool {
	if err := ctx.Err(); err != nil {
		return yield("", err)
	}
	entries, err := fs.ReadDir(d.root.FS(), cmp.Or(strings.TrimSuffix(folder, "/"), "."))
	if err != nil {
		yield("", d.failed("list", folder, err))
		return false
	}
	// In the order of whole keys a folder stands where its name with the slash does.
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		switch name := folder + e.Name(); {
		case CheckKey(name) != nil:
		case e.IsDir():
			names = append(names, name+"/")
		case e.Type().IsRegular():
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		isFolder := strings.HasSuffix(name, "/")
		switch {
		case isFolder && (strings.HasPrefix(name, prefix) || strings.HasPrefix(prefix, name)):
			if !d.list(ctx, name, prefix, yield) {
				return false
			}
		case !isFolder && strings.HasPrefix(name, prefix):
			if !yield(name, nil) {
				return false
			}
		}
	}
	return true
}

func (d *Dir) failed(what, key string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	return fmt.Errorf("%s %s in %s: %w", what, key, d, err)
}
