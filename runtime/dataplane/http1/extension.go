package http1

// maxExtensionExcess is by how many bytes the chunk extensions of a body may outweigh
// its data. Who signs each chunk stays far below it. Who sends tiny chunks with huge
// extensions, which are work for us and nothing for a member, does not.
const maxExtensionExcess = 2 << 10

// stepExtension takes a byte of a chunk extension.
func (c *ChunkedReader) stepExtension(b byte) {
	next, ok := afterExtensionByte(c.state, b)
	if c.excess++; c.excess > maxExtensionExcess {
		c.fail(errExtensionBytes)
	} else if !ok {
		c.fail(errChunkExtension)
	}
	c.state = next
}

// afterExtensionByte returns the state behind a byte of a chunk extension, not ok if
// the byte is not allowed (RFC 9112 §7.1.1):
//
//	chunk-ext = *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
func afterExtensionByte(state chunkState, b byte) (next chunkState, ok bool) {
	token, space := class[b]&tokenByte != 0, isSpace(b)
	switch state {
	case extensionPad:
		if b == ';' {
			return extensionName, true
		}
		return state, space
	case extensionName:
		if token {
			return extensionNameRest, true
		}
		return state, space
	case extensionNameRest:
		if token {
			return state, true
		}
		if space {
			return extensionNamePad, true
		}
		if b == '=' {
			return extensionValue, true
		}
		return afterExtension(b)
	case extensionNamePad:
		switch b {
		case '=':
			return extensionValue, true
		case ';':
			return extensionName, true
		}
		return state, space
	case extensionValue:
		if b == '"' {
			return extensionQuoted, true
		}
		if token {
			return extensionValueRest, true
		}
		return state, space
	case extensionValueRest:
		if token {
			return state, true
		}
		return afterExtension(b)
	case extensionQuoted:
		switch b {
		case '"':
			return extensionEnd, true
		case '\\':
			return extensionEscaped, true
		}
		return state, class[b]&quotedByte != 0
	case extensionEscaped:
		return extensionQuoted, class[b]&valueByte != 0
	}
	return afterExtension(b) // extensionEnd
}

// afterExtension returns the state behind the byte that follows a whole extension.
func afterExtension(b byte) (next chunkState, ok bool) {
	switch b {
	case ';':
		return extensionName, true
	case '\r':
		return chunkSizeLF, true
	}
	return extensionPad, isSpace(b)
}
