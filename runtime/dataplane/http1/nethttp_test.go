package http1

import (
	"bufio"
	"bytes"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// These tests hold the parser to net/http: what is accepted here net/http accepts
// too, and reads the same. The reverse does not hold and need not: net/http repairs
// more. Where it reads otherwise although both are right, it is said below.

func sameAsNetHTTP(t *testing.T, head []byte, r *Request) {
	t.Helper()
	// net/http's server skips no empty lines; its ReadRequest neither.
	want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head[skipEmptyLines(head):])))
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	if string(r.Method) != want.Method || string(r.Target) != want.RequestURI || int(r.Minor) != want.ProtoMinor || string(r.Host) != want.Host {
		t.Errorf("%s %s HTTP/1.%d at %q, net/http reads %s %s %s at %q",
			r.Method, r.Target, r.Minor, r.Host, want.Method, want.RequestURI, want.Proto, want.Host)
	}
	wantPath := want.URL.Path
	if r.Form == AbsoluteForm && wantPath == "" { // net/http leaves it to others
		wantPath = "/"
		if want.Method == http.MethodOptions && !r.HasQuery {
			wantPath = "*"
		}
	}
	if path, err := url.PathUnescape(string(r.Path)); err != nil || path != wantPath {
		t.Errorf("the path is %q (%v), net/http reads %q", path, err, wantPath)
	}
	if string(r.Query) != want.URL.RawQuery || r.HasQuery != (want.URL.ForceQuery || want.URL.RawQuery != "") {
		t.Errorf("the query is %q, net/http reads %q", r.Query, want.URL.RawQuery)
	}
	if r.ContentLength != want.ContentLength || (r.Framing == Chunked) != slices.Equal(want.TransferEncoding, []string{"chunked"}) {
		t.Errorf("framing is%s, net/http reads length %d and coding %v", framingSummary(r.Framing, r.ContentLength), want.ContentLength, want.TransferEncoding)
	}
	if r.KeepAlive == want.Close {
		t.Errorf("the connection persists: %v, net/http reads %v", r.KeepAlive, !want.Close)
	}
	got := headerOf(r.Fields, r.Framing == Chunked)
	delete(got, "Host")
	sameHeader(t, got, want.Header)
}

func sameResponseAsNetHTTP(t *testing.T, head []byte, method string, r *Response) {
	t.Helper()
	if method == http.MethodConnect && r.Status/100 == 2 {
		return // a tunnel, which net/http leaves to its caller
	}
	want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	// net/http keeps what stands between status and reason.
	reason := strings.TrimPrefix(strings.TrimLeft(want.Status, " ")[3:], " ")
	if r.Status != want.StatusCode || int(r.Minor) != want.ProtoMinor || string(r.Reason) != reason {
		t.Errorf("HTTP/1.%d %d %q, net/http reads %s %q", r.Minor, r.Status, r.Reason, want.Proto, want.Status)
	}
	chunked := slices.Equal(want.TransferEncoding, []string{"chunked"})
	switch {
	case r.Framing == NoBody: // net/http gives a length that the body would have had
		if want.Body != http.NoBody {
			t.Errorf("no body, net/http reads one of %d", want.ContentLength)
		}
	case r.ContentLength != want.ContentLength, (r.Framing == Chunked) != chunked:
		t.Errorf("framing is%s, net/http reads length %d and coding %v", framingSummary(r.Framing, r.ContentLength), want.ContentLength, want.TransferEncoding)
	}
	announced := chunked || want.Header.Get("Content-Length") != ""
	if r.KeepAlive == want.Close && (r.Status != http.StatusNoContent || !announced) { // net/http trusts a 204 that announces content
		t.Errorf("the connection persists: %v, net/http reads %v", r.KeepAlive, !want.Close)
	}
	got := headerOf(r.Fields, chunked)
	if lengths := got["Content-Length"]; len(lengths) > 1 { // net/http repairs it likewise
		got["Content-Length"] = lengths[:1]
	}
	if want.Close { // then net/http may have removed it
		delete(got, "Connection")
		delete(want.Header, "Connection")
	}
	sameHeader(t, got, want.Header)
}

// headerOf gives fields the form that net/http gives them.
func headerOf(fields []Field, chunked bool) http.Header {
	h := http.Header{}
	for _, f := range fields {
		key := textproto.CanonicalMIMEHeaderKey(string(f.Name))
		h[key] = append(h[key], string(f.Value))
	}
	delete(h, "Transfer-Encoding")
	if chunked {
		delete(h, "Trailer")
	}
	// RFC 9111 §5.4 lets a recipient add this, and net/http does.
	if pragma := h["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-cache"}
	}
	return h
}

func sameHeader(t *testing.T, got, want http.Header) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the fields are %q, net/http reads %q", got, want)
	}
}

// trailerOf gives trailer fields the form that net/http gives them.
func trailerOf(fields []Field) http.Header {
	h := http.Header{}
	for _, f := range fields {
		key := textproto.CanonicalMIMEHeaderKey(string(f.Name))
		h[key] = append(h[key], string(f.Value))
	}
	return h
}

// readByNetHTTP decodes a chunked body with net/http; rest is what follows it.
func readByNetHTTP(t *testing.T, encoded []byte) (body []byte, trailer http.Header, rest int) {
	t.Helper()
	whole := append([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), encoded...)
	br := bufio.NewReaderSize(bytes.NewReader(whole), max(len(whole), 8<<10)) // it bounds a trailer section by its buffer
	r, err := http.ReadRequest(br)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(r.Body); err != nil {
		t.Fatalf("net/http refuses %q: %v", encoded, err)
	}
	trailer = http.Header{}
	maps.Copy(trailer, r.Trailer)
	maps.DeleteFunc(trailer, func(name string, _ []string) bool { return vital([]byte(name)) }) // net/http keeps them
	return out.Bytes(), trailer, br.Buffered()
}
