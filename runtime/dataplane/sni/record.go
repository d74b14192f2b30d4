package sni

import "encoding/binary"

const (
	typeHandshake   = 22
	typeClientHello = 1

	recordHeader    = 5
	handshakeHeader = 4
	maxFragment     = 1 << 14
)

// clientHello returns the body of the ClientHello that b begins with, put together
// from as many records as it is spread over (RFC 8446 §5.1), and the length of these.
// The body is part of b if it lies in one record.
func clientHello(b []byte) (body []byte, n int, err error) {
	size, n, err := measure(b)
	if err != nil {
		return nil, 0, err
	}
	if n == recordHeader+size {
		return b[recordHeader+handshakeHeader : n], n, nil
	}
	whole := make([]byte, 0, size)
	for at := 0; at < n; {
		fragment := b[at+recordHeader:][:fragmentLength(b[at:])]
		whole = append(whole, fragment...)
		at += recordHeader + len(fragment)
	}
	return whole[handshakeHeader:], n, nil
}

// measure returns the size of the handshake message that b begins with, and of the
// records that hold it. It judges whatever has arrived, so that what can't become a
// ClientHello is refused without waiting for the rest of it.
func measure(b []byte) (size, n int, err error) {
	var header [handshakeHeader]byte
	size = handshakeHeader // at least; the header tells
	for have := 0; have < size; {
		rest := b[n:]
		if err := checkRecord(rest); err != nil {
			if n == 0 {
				return 0, 0, err
			}
			return 0, 0, ErrMalformed
		}
		if len(rest) < recordHeader {
			return 0, 0, incomplete(n + recordHeader)
		}
		length := fragmentLength(rest)
		if length == 0 || length > maxFragment {
			return 0, 0, ErrMalformed
		}
		fragment := rest[recordHeader:min(recordHeader+length, len(rest))]
		if have < handshakeHeader {
			copy(header[have:], fragment)
		}
		have += len(fragment)
		if have > 0 && header[0] != typeClientHello {
			return 0, 0, ErrMalformed
		}
		if have >= handshakeHeader {
			size = handshakeHeader + int(header[1])<<16 + int(binary.BigEndian.Uint16(header[2:]))
		}
		if size > MaxBytes {
			return 0, 0, ErrTooLarge
		}
		n += recordHeader + length
		if len(fragment) < length {
			return 0, 0, incomplete(n)
		}
		// A client has nothing more to say before it has been answered.
		if have > size {
			return 0, 0, ErrMalformed
		}
	}
	if n > MaxBytes {
		return 0, 0, ErrTooLarge
	}
	return size, n, nil
}

// checkRecord judges the beginning of a record, of which some bytes may be missing.
// The minor version has no meaning (RFC 8446 §5.1).
func checkRecord(b []byte) error {
	if len(b) > 0 && b[0] != typeHandshake || len(b) > 1 && b[1] != 3 {
		return ErrNotTLS
	}
	return nil
}

func fragmentLength(record []byte) int { return int(binary.BigEndian.Uint16(record[3:])) }

// incomplete is the error when the first needed bytes are not all there.
func incomplete(needed int) error {
	if needed > MaxBytes {
		return ErrTooLarge
	}
	return ErrIncomplete
}
