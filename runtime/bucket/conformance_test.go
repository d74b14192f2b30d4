package bucket_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
)

// conform holds a bucket to what every bucket promises. It must be empty.
func conform(t *testing.T, b bucket.Bucket) {
	t.Run("what is put is got back", func(t *testing.T) {
		for name, data := range map[string][]byte{
			"one/text": []byte("a text\n"), "one/binary": {0, 255, '\n', '\r', 0}, "one/large": bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
		} {
			put(t, b, name, data)
			got, err := b.Get(t.Context(), name)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: got %d bytes, %v; want %d", name, len(got), err, len(data))
			}
		}
	})
	t.Run("what stands is never overwritten", func(t *testing.T) {
		put(t, b, "two/once", []byte("first"))
		if err := b.Put(t.Context(), "two/once", []byte("second")); !errors.Is(err, bucket.ErrExists) {
			t.Errorf("a second put of other bytes = %v, want ErrExists", err)
		}
		if got, err := b.Get(t.Context(), "two/once"); err != nil || string(got) != "first" {
			t.Errorf("after it there is %q, %v; want the first", got, err)
		}
		if err := b.Put(t.Context(), "two/once", []byte("first")); err != nil {
			t.Errorf("a put of the same bytes again = %v, want nil: it settles an answer that was lost", err)
		}
	})
	t.Run("of many who put at once one succeeds", func(t *testing.T) {
		const writers = 8
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() { errs[i] = b.Put(t.Context(), "race/key", fmt.Appendf(nil, "writer %d", i)) })
		}
		wg.Wait()
		got, err := b.Get(t.Context(), "race/key")
		if err != nil {
			t.Fatal(err)
		}
		for i, err := range errs {
			if won := string(got) == fmt.Sprintf("writer %d", i); won != (err == nil) {
				t.Errorf("writer %d: %v, and there is %q", i, err, got)
			}
		}
	})
	t.Run("what is not there is told apart", func(t *testing.T) {
		if _, err := b.Get(t.Context(), "nowhere/key"); !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if keys := list(t, b.List(t.Context(), "nowhere/")); len(keys) > 0 {
			t.Errorf("listed %q where nothing is", keys)
		}
	})
	t.Run("a list has the order of keys and their prefix", func(t *testing.T) {
		// "-" and "." sort before "/", letters after it.
		want := []string{"three/a-b", "three/a.b", "three/a/b", "three/a/c/d", "three/ab", "three/b"}
		for _, key := range slices.Backward(want) {
			put(t, b, key, []byte(key))
		}
		put(t, b, "thre", []byte("x"))
		put(t, b, "threes", []byte("x"))
		for prefix, want := range map[string][]string{
			"three/": want, "three/a": want[:5], "three/a/": want[2:4], "three/a/c": want[3:4], "three/b": want[5:], "three/bc": nil,
		} {
			if got := list(t, b.List(t.Context(), prefix)); !slices.Equal(got, want) {
				t.Errorf("list of %q = %q, want %q", prefix, got, want)
			}
		}
		if all := list(t, b.List(t.Context(), "")); !slices.IsSorted(all) || !slices.Contains(all, "thre") {
			t.Errorf("list of all = %q", all)
		}
	})
	t.Run("a key is a path that leads nowhere else", func(t *testing.T) {
		for _, key := range []string{"", "/", "/etc/passwd", "../up", "a/../../up", "a/..", "a//b", "a/", "./a", ".new-a", "a b", "a\x00b", "a\nb", "ä", `a\b`, strings.Repeat("k", bucket.MaxKeyBytes+1)} {
			if err := b.Put(t.Context(), key, []byte("x")); !errors.Is(err, bucket.ErrKey) {
				t.Errorf("put %.40q = %v, want ErrKey", key, err)
			}
			if _, err := b.Get(t.Context(), key); !errors.Is(err, bucket.ErrKey) {
				t.Errorf("get %.40q = %v, want ErrKey", key, err)
			}
		}
	})
	t.Run("what is empty is refused", func(t *testing.T) {
		if err := b.Put(t.Context(), "empty", nil); !errors.Is(err, bucket.ErrEmpty) {
			t.Errorf("put = %v, want ErrEmpty", err)
		}
	})
	t.Run("what is too large is refused", func(t *testing.T) {
		if err := b.Put(t.Context(), "large", make([]byte, bucket.MaxObjectBytes+1)); !errors.Is(err, bucket.ErrTooLarge) {
			t.Errorf("put = %v, want ErrTooLarge", err)
		}
	})
}

// conformOverPages is conform for more keys than a service lists at once.
func conformOverPages(t *testing.T, b bucket.Bucket) {
	var want []string
	for i := range 1003 {
		want = append(want, fmt.Sprintf("pages/%05d", i))
	}
	var wg sync.WaitGroup
	for part := range slices.Chunk(want, 126) {
		wg.Go(func() {
			for _, key := range part {
				if err := b.Put(t.Context(), key, []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := list(t, b.List(t.Context(), "pages/")); !slices.Equal(got, want) {
		t.Errorf("%d keys listed, want %d in order", len(got), len(want))
	}
}

func put(t *testing.T, b bucket.Bucket, key string, data []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, data); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func list(t *testing.T, keys iter.Seq2[string, error]) (out []string) {
	t.Helper()
	for key, err := range keys {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		out = append(out, key)
	}
	return out
}
