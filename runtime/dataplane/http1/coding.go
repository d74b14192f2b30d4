package http1

import "bytes"

// explainCodings says why the transfer codings of a message are not accepted (RFC
// 9112 §6.1, §6.3 and §7): 501 for a well-formed list of several that ends with
// chunked, as could be understood if the others were; else 400.
func explainCodings(fields []Field) *ParseError {
	final := false // the coding before was chunked
	for i := range fields {
		if fields[i].ID != TransferEncoding {
			continue
		}
		list, more := fields[i].Value, true
		for more {
			more = bytes.IndexByte(list, ',') >= 0
			var coding []byte
			coding, list = cutElement(list)
			name, _, parameters := bytes.Cut(coding, []byte{';'})
			name = trimSpace(name)
			switch isChunked := equalFold(name, "chunked"); {
			case !ValidFieldName(name), equalFold(name, "identity"), final, isChunked && parameters, !isChunked && mentionsChunked(name):
				return errCodingSyntax
			default:
				final = isChunked
			}
		}
	}
	if !final {
		return errCodingSyntax
	}
	return errCoding
}

func mentionsChunked(name []byte) bool {
	const chunked = "chunked"
	for i := range name {
		if hasPrefixFold(name[i:], chunked) {
			return true
		}
	}
	return false
}
