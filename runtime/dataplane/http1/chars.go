package http1

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// text is what the validators take: HTTP/1.1 has its names and values as bytes,
// HTTP/2 as strings.
type text interface{ ~string | ~[]byte }

// Classes of bytes.
const (
	tokenByte  = 1 << iota // tchar, RFC 9110 §5.6.2
	valueByte              // HTAB, SP, VCHAR and obs-text, RFC 9110 §5.5
	targetByte             // visible ASCII but "#"
	hostByte               // of a DNS name, and "_"
	hexByte
	digitByte
	quotedByte // qdtext, RFC 9110 §5.6.4
)

// class holds the classes of each byte, lower its lower-case form.
var class, lower = classify()

func classify() (class, lower [256]uint8) {
	add := func(c uint8, set string) {
		for _, b := range []byte(set) {
			class[b] |= c
		}
	}
	const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	add(tokenByte, alphanumeric+"!#$%&'*+-.^_`|~")
	add(hostByte, alphanumeric+"-._")
	add(hexByte, "0123456789ABCDEFabcdef")
	add(digitByte, "0123456789")
	for i := range class {
		b := byte(i)
		visible := b > ' ' && b < 0x7f
		if visible && b != '#' {
			class[b] |= targetByte
		}
		if b == '\t' || b == ' ' || visible || b >= 0x80 {
			class[b] |= valueByte
			if b != '"' && b != '\\' {
				class[b] |= quotedByte
			}
		}
		lower[b] = b
		if b >= 'A' && b <= 'Z' {
			lower[b] = b + 'a' - 'A'
		}
	}
	return class, lower
}

// consists reports whether s is not empty and has only bytes of the class.
func consists[T text](s T, of uint8) bool {
	for i := range len(s) {
		if class[s[i]]&of == 0 {
			return false
		}
	}
	return len(s) > 0
}

// ValidFieldName reports whether name is a token (RFC 9110 §5.1). A method has the
// same syntax (§9.1).
func ValidFieldName[T text](name T) bool { return consists(name, tokenByte) }

// ValidFieldValue reports whether value can be sent as a field's value (RFC 9110
// §5.5): no control but HTAB, and no white space at either end. It may be empty.
func ValidFieldValue[T text](value T) bool {
	n := len(value)
	return n == 0 || consists(value, valueByte) && !isSpace(value[0]) && !isSpace(value[n-1])
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' }

// equalFold reports whether s is want but for the case of ASCII letters; want is in
// lower case.
func equalFold[T text](s T, want string) bool {
	return len(s) == len(want) && hasPrefixFold(s, want)
}

func hasPrefixFold[T text](s T, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower[s[i]] != prefix[i] {
			return false
		}
	}
	return true
}

// trimSpace removes optional white space (RFC 9110 §5.6.3) from both ends.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// cutElement takes the first element off a comma-separated list (RFC 9110 §5.6.1).
// Elements may be empty. It knows no quoted strings: the lists read here have none,
// or only in parts that are dropped.
func cutElement(list []byte) (element, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return trimSpace(list[:i]), list[i+1:]
	}
	return trimSpace(list), nil
}

// valueEnd returns the index, from i on, of the first byte that a field value can't
// hold. There must be one.
func valueEnd(b []byte, i int) int {
	for i+8 <= len(b) {
		found := controls(binary.LittleEndian.Uint64(b[i:]))
		if found == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(found) / 8
		if b[i] != '\t' {
			return i
		}
		i++
	}
	for class[b[i]]&valueByte != 0 {
		i++
	}
	return i
}

// controls looks at eight bytes at once: the lowest bit set in the result is in the
// lowest byte that is below 0x20 or 0x7f. Bits above it mean nothing, because a
// subtraction may borrow from the byte above the one it finds.
func controls(x uint64) uint64 {
	const (
		each = 0x0101010101010101
		high = 0x80 * each
	)
	below := (x - 0x20*each) &^ x
	del := x ^ 0x7f*each
	return (below | (del-each)&^del) & high
}
