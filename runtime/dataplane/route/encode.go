package route

// byteSet tells which bytes may stand as they are.
type byteSet [256]bool

func visibleExcept(chars string) *byteSet {
	var set byteSet
	for c := '!'; c <= '~'; c++ {
		set[c] = true
	}
	for _, c := range []byte(chars) {
		set[c] = false
	}
	return &set
}

var (
	// sentPath passes what clients send although RFC 3986 does not provide for it. A
	// backslash is encoded, since browsers read it as a slash.
	sentPath = visibleExcept(`?#\`)
	// sentQuery likewise.
	sentQuery = visibleExcept(`#`)
	// plainPath is pchar and the slash (RFC 3986 §3.3).
	plainPath = visibleExcept("\"#%<>?[\\]^`{|}")
)

// appendPath appends a path that is encoded already.
func appendPath(dst, path []byte) []byte { return appendEncoded(dst, path, sentPath) }

// appendDecodedPath appends a decoded path with percent-encoding.
func appendDecodedPath(dst, path []byte) []byte { return appendEncoded(dst, path, plainPath) }

// appendQuery appends a question mark and a query that is encoded already; nil is none.
func appendQuery(dst, query []byte) []byte {
	if query == nil {
		return dst
	}
	return appendEncoded(append(dst, '?'), query, sentQuery)
}

// appendEncoded appends s with every byte that is not in keep percent-encoded.
func appendEncoded(dst, s []byte, keep *byteSet) []byte {
	const digits = "0123456789ABCDEF"
	kept := 0 // s[kept:i] is to be copied
	for i, c := range s {
		if !keep[c] {
			dst = append(append(dst, s[kept:i]...), '%', digits[c>>4], digits[c&15])
			kept = i + 1
		}
	}
	return append(dst, s[kept:]...)
}
