package http1

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzRequestHead holds: no panic; a head ends in one place however it arrives; what
// is accepted, net/http accepts and reads the same; written again it is read the same.
func FuzzRequestHead(f *testing.F) {
	for _, seed := range []string{curlHead, browserHead, "\r\n" + curlHead + "body"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		endsAlikeHoweverItArrives(t, data)
		head := bytes.Clone(headOf(data))
		var r, again Request
		if refusal(t, r.Parse(head, Limits{})) != 0 {
			return
		}
		if !bytes.HasPrefix(data, head) {
			t.Fatal("parsing wrote to the head")
		}
		sameAsNetHTTP(t, head, &r)
		written := append([]byte{}, r.Method...)
		written = append(append(written, ' '), r.Target...)
		written = append(written, " HTTP/1."...)
		written = append(written, '0'+r.Minor, '\r', '\n')
		written = appendFields(written, r.Fields)
		if HeadEnd(written, 0) != len(written) {
			t.Fatalf("%q ends somewhere else", written)
		}
		if err := again.Parse(written, Limits{MaxHeadBytes: len(written)}); err != nil {
			t.Fatalf("%q is refused: %v", written, err)
		}
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("read as %+v, again as %+v", r, again)
		}
	})
}

// FuzzResponseHead holds the same for responses.
func FuzzResponseHead(f *testing.F) {
	f.Add([]byte(memberHead), "GET")
	f.Add([]byte(memberHead), "HEAD")
	f.Fuzz(func(t *testing.T, data []byte, method string) {
		head := bytes.Clone(headOf(data))
		var r, again Response
		if refusal(t, r.Parse(head, []byte(method), Limits{})) != 0 {
			return
		}
		if !bytes.HasPrefix(data, head) {
			t.Fatal("parsing wrote to the head")
		}
		sameResponseAsNetHTTP(t, head, method, &r)
		written := AppendStatusLine(nil, r.Status, r.Reason)
		if len(r.Reason) == 0 {
			written = append([]byte{}, head[:len("HTTP/1.1 200")]...)
			written = append(written, " \r\n"...)
		}
		written[len("HTTP/1.")] = '0' + r.Minor
		written = appendFields(written, r.Fields)
		if err := again.Parse(written, []byte(method), Limits{MaxHeadBytes: len(written)}); err != nil {
			t.Fatalf("%q is refused: %v", written, err)
		}
		if string(r.Reason) != string(again.Reason) {
			t.Fatalf("the reason is %q, again %q", r.Reason, again.Reason)
		}
		r.Reason, again.Reason = nil, nil // an empty one may have been absent
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("read as %+v, again as %+v", r, again)
		}
	})
}

// FuzzChunkedBody holds: no panic; a body is the same however it arrives; what is
// accepted, net/http accepts and reads the same; encoded again it is read the same.
func FuzzChunkedBody(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\nA: b\r\n\r\nGET"), uint16(7))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		c := new(ChunkedReader)
		whole := decode(t, c, data)
		if whole.err == nil && whole.done {
			decodesLikeNetHTTP(t, data, whole)
			encoded := []byte{}
			for body := whole.body; len(body) > 0; {
				n := min(len(body), 1+int(cut)%100)
				encoded = AppendChunkSize(encoded, n)
				encoded = append(encoded, body[:n]...)
				encoded = append(encoded, "\r\n"...)
				body = body[n:]
			}
			encoded = AppendLastChunk(encoded, c.Trailer())
			again := decode(t, new(ChunkedReader), encoded)
			if !again.done || !bytes.Equal(again.body, whole.body) || again.trailer != whole.trailer || again.size != len(encoded) {
				t.Fatalf("%v, encoded again: %v", whole, again)
			}
		}
		at := min(int(cut), len(data))
		if got := decode(t, new(ChunkedReader), data[:at], data[at:]); got.String() != whole.String() {
			t.Fatalf("cut at %d: %v, whole: %v", at, got, whole)
		}
		var bytewise [][]byte
		for i := range data {
			bytewise = append(bytewise, data[i:i+1])
		}
		if got := decode(t, new(ChunkedReader), bytewise...); got.String() != whole.String() {
			t.Fatalf("byte by byte: %v, whole: %v", got, whole)
		}
	})
}

func appendFields(dst []byte, fields []Field) []byte {
	for _, f := range fields {
		dst = AppendField(dst, f.Name, f.Value)
	}
	return append(dst, "\r\n"...)
}
