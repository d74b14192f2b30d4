package http1

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestFieldNamesAreTokens(t *testing.T) {
	for b := range 256 {
		want := strings.IndexByte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", byte(b)) >= 0
		if got := ValidFieldName([]byte{'a', byte(b)}); got != want {
			t.Errorf("a name with byte %#x is valid: %v, want %v", b, got, want)
		}
	}
	if ValidFieldName("") {
		t.Error("an empty name is valid")
	}
}

func TestFieldValuesHoldNoControlAndNoSpaceAtTheirEnds(t *testing.T) {
	for b := range 256 {
		want := b == '\t' || b >= ' ' && b != 0x7f
		if got := ValidFieldValue(string([]byte{'a', byte(b), 'c'})); got != want {
			t.Errorf("a value with byte %#x is valid: %v, want %v", b, got, want)
		}
	}
	for value, want := range map[string]bool{"": true, "a b": true, " a": false, "a ": false, "\ta": false, "a\t": false, " ": false} {
		if got := ValidFieldValue(value); got != want {
			t.Errorf("%q is valid: %v, want %v", value, got, want)
		}
	}
}

func TestAValueEndsAtItsFirstControlWhereverThatStands(t *testing.T) {
	for _, filler := range []byte{'a', ' ', '\t', 0x80, 0xff, '!', '~'} {
		for b := range 256 {
			if class[b]&valueByte != 0 {
				continue
			}
			for at := range 20 {
				buf := bytes.Repeat([]byte{filler}, 24)
				buf[at] = byte(b)
				buf[23] = '\n'
				for from := range at + 1 {
					if got := valueEnd(buf, from); got != at {
						t.Fatalf("byte %#x at %d among %#x: the value ends at %d when read from %d", b, at, filler, got, from)
					}
				}
			}
		}
	}
}

func TestEightBytesAtOnceFindWhatOneByOneFinds(t *testing.T) {
	var block [8]byte
	for first := range 256 {
		for second := range 256 {
			for at := range 7 {
				copy(block[:], "aaaaaaaa")
				block[at], block[at+1] = byte(first), byte(second)
				want := 8
				for i, b := range block {
					if b < ' ' || b == 0x7f {
						want = i
						break
					}
				}
				got := 8
				if found := controls(binary.LittleEndian.Uint64(block[:])); found != 0 {
					for got = 0; found&0xff == 0; got++ {
						found >>= 8
					}
				}
				if got != want {
					t.Fatalf("in %q the first control is at %d, found at %d", block, want, got)
				}
			}
		}
	}
}
