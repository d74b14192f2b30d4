package http1

// Field is a field line of a head or of a trailer section. Its slices point into
// what was parsed.
type Field struct {
	Name []byte // as received
	// Value has no white space at its ends. It may be empty.
	Value []byte
	ID    HeaderID
	// Hop marks a field that is not forwarded (RFC 9110 §7.6.1).
	Hop bool
}

// parseFields appends to fields the field lines in b, up to the empty line that must
// end it. b must end with CRLF, which bounds every loop over a line.
func parseFields(fields []Field, b []byte, limit int) ([]Field, *ParseError) {
	for i := 0; i < len(b); i += 2 {
		start := i
		for class[b[i]]&tokenByte != 0 {
			i++
		}
		name := b[start:i]
		if b[i] != ':' || len(name) == 0 {
			if len(name) == 0 && b[i] == '\r' && b[i+1] == '\n' && i+2 == len(b) {
				return fields, nil
			}
			return fields, explainName(name, b[i])
		}
		if len(fields) == limit {
			return fields, errFieldCount
		}
		i++
		for isSpace(b[i]) {
			i++
		}
		start = i
		i = valueEnd(b, i)
		if b[i] != '\r' || b[i+1] != '\n' {
			return fields, errFieldValue
		}
		end := i
		for end > start && isSpace(b[end-1]) {
			end--
		}
		id := IDOf(name)
		fields = append(fields, Field{name, b[start:end], id, hopByHop>>id&1 != 0})
	}
	return fields, errHeadEnd
}

// explainName says what is wrong with a field line whose name is followed by next
// instead of a colon.
func explainName(name []byte, next byte) *ParseError {
	switch {
	case len(name) == 0 && isSpace(next):
		return errFieldFolded
	case len(name) > 0 && isSpace(next):
		return errFieldSpace
	case len(name) == 0 && (next == '\r' || next == '\n'):
		return errHeadEnd
	}
	return errFieldName
}
