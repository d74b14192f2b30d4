package dataplane_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

// ambiguity is something that a client sends, in the hope that we and the member
// see different requests in it.
type ambiguity struct {
	name string
	// section of RFC 9112, unless it says otherwise.
	section string
	// send is in the notation of wire.
	send string
	// want lists what becomes of each request, separated by "; ": what the member gets,
	// as message.String has it, or the status that we refuse it with. A refusal ends
	// the connection, and the member gets nothing; of a refusal "within" the body it may
	// get a part. "nothing" is a connection that ends without an answer.
	want string
}

// check sends it and looks at what comes back, and at what the member has got.
func (a *ambiguity) check(t *testing.T) {
	m := record(t, repeat)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m.address))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, wire(a.send))
	r := bufio.NewReader(conn)
	var want []string
	within := false
	for _, outcome := range strings.Split(a.want, "; ") {
		status, isWithin := strings.CutSuffix(outcome, " within")
		within = within || isWithin || outcome == "nothing"
		if outcome == "nothing" {
			conn.CloseWrite()
		} else if refused, err := strconv.Atoi(status); err == nil {
			wantAnswer(t, r, "GET", refused, "")
		} else {
			want = append(want, outcome)
			method, _, _ := strings.Cut(outcome, " ")
			wantAnswer(t, r, method, 200, outcome)
			continue
		}
		if rest, err := io.ReadAll(r); err != nil && !errors.Is(err, syscall.ECONNRESET) || len(rest) > 0 {
			t.Errorf("the connection went on with %q, %v", rest, err)
		}
	}
	conn.Close()
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.wait(t); err != nil && (!within || !errors.Is(err, io.ErrUnexpectedEOF)) {
		t.Errorf("the member got %v", err)
	}
	if got := fmt.Sprint(m.got()); got != fmt.Sprint(want) {
		t.Errorf("the member got %s, want %s", got, want)
	}
}

// wantAnswer reads an answer to a method; content "" is any.
func wantAnswer(t *testing.T, r *bufio.Reader, method string, status int, content string) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v; want %d", err, status)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != status || err != nil || content != "" && method != http.MethodHead && string(body) != content {
		t.Fatalf("the answer is %d %q, %v; want %d %q", resp.StatusCode, body, err, status, content)
	}
	return resp
}

func checkAll(t *testing.T, cases []ambiguity) {
	for _, a := range cases {
		t.Run(a.name, a.check)
	}
}

// smuggled is what would become a request of its own if a body ended early.
const smuggled = "GET /smuggled HTTP/1.1|Host: a||"

func TestFramingIsNeverAmbiguous(t *testing.T) {
	post := func(fields string) string { return "POST / HTTP/1.1|Host: a|" + fields + "||" }
	checkAll(t, []ambiguity{
		{"length", "6.2", post("Content-Length: 4") + "body", "POST / body"},
		{"chunked", "7.1", post("Transfer-Encoding: chunked") + "4|body|0||", "POST / body"},
		{"length before chunked", "6.1", post("Content-Length: 4|Transfer-Encoding: chunked") + "0||" + smuggled, "400"},
		{"chunked before length", "6.1", post("Transfer-Encoding: chunked|Content-Length: 4") + "0||" + smuggled, "400"},
		{"length of none beside chunked", "6.1", post("Content-Length: 0|Transfer-Encoding: chunked") + "0||" + smuggled, "400"},
		{"chunked, and a length in a trailer", "6.5.1 of RFC 9110", post("Transfer-Encoding: chunked") + "1|x|0|Content-Length: 9||" + "GET /2 HTTP/1.1|Host: a||", "POST / x; GET /2"},

		{"space before the colon", "5.1", post("Transfer-Encoding : chunked") + "0||" + smuggled, "400"},
		{"tab before the colon", "5.1", post("Transfer-Encoding\t: chunked") + "0||" + smuggled, "400"},
		{"unknown coding", "6.1", post("Transfer-Encoding: xchunked") + "0||" + smuggled, "400"},
		{"known coding", "6.1", post("Transfer-Encoding: gzip, chunked") + "0||" + smuggled, "501"},
		{"known coding that is not ended by chunked", "6.3", post("Transfer-Encoding: gzip") + "0||" + smuggled, "400"},
		{"folded value", "5.2", post("Transfer-Encoding:| chunked") + "0||" + smuggled, "400"},
		{"folded field before", "5.2", post("X: y| Transfer-Encoding: chunked") + smuggled, "400"},
		{"tab before the value", "5.1", post("Transfer-Encoding:\tchunked") + "0||GET /2 HTTP/1.1|Host: a||", "POST /; GET /2"},
		{"no space before the value", "5.1", post("Transfer-Encoding:chunked") + "0||GET /2 HTTP/1.1|Host: a||", "POST /; GET /2"},
		{"space behind the value", "5.1", post("Transfer-Encoding: chunked \t ") + "0||GET /2 HTTP/1.1|Host: a||", "POST /; GET /2"},
		{"vertical tab before the value", "5.5 of RFC 9110", post("Transfer-Encoding: \vchunked") + "0||" + smuggled, "400"},
		{"form feed behind the value", "5.5 of RFC 9110", post("Transfer-Encoding: chunked\f") + "0||" + smuggled, "400"},
		{"NUL behind the value", "5.5 of RFC 9110", post("Transfer-Encoding: chunked\x00") + "0||" + smuggled, "400"},
		{"no-break space before the value", "6.1", post("Transfer-Encoding: \xc2\xa0chunked") + "0||" + smuggled, "400"},
		{"chunked then identity", "6.1", post("Transfer-Encoding: chunked, identity") + "0||" + smuggled, "400"},
		{"identity then chunked", "6.1", post("Transfer-Encoding: identity, chunked") + "0||" + smuggled, "400"},
		{"identity", "6.1", post("Transfer-Encoding: identity") + smuggled, "400"},
		{"chunked twice", "6.1", post("Transfer-Encoding: chunked, chunked") + "0||" + smuggled, "400"},
		{"two fields, the same", "6.1", post("Transfer-Encoding: chunked|Transfer-Encoding: chunked") + "0||" + smuggled, "400"},
		{"two fields, the second unknown", "6.1", post("Transfer-Encoding: chunked|Transfer-Encoding: cow") + "0||" + smuggled, "400"},
		{"two fields, the first unknown", "6.1", post("Transfer-Encoding: cow|Transfer-Encoding: chunked") + "0||" + smuggled, "501"},
		{"upper case", "7", post("TRANSFER-ENCODING: CHUNKED") + "0||GET /2 HTTP/1.1|Host: a||", "POST /; GET /2"},
		{"quoted", "7", post(`Transfer-Encoding: "chunked"`) + "0||" + smuggled, "400"},
		{"with a parameter", "7.1", post("Transfer-Encoding: chunked;a=b") + "0||" + smuggled, "400"},
		{"trailing comma", "5.6.1 of RFC 9110", post("Transfer-Encoding: chunked,") + "0||" + smuggled, "400"},
		{"leading comma", "5.6.1 of RFC 9110", post("Transfer-Encoding: ,chunked") + "0||" + smuggled, "400"},
		{"no coding", "6.1", post("Transfer-Encoding:") + smuggled, "400"},
		{"underscore", "5.1", post("Transfer_Encoding: chunked") + smuggled, "400"},
		{"in HTTP/1.0", "6.1", "POST / HTTP/1.0|Host: a|Transfer-Encoding: chunked||0||" + smuggled, "400"},
		{"in HTTP/1.0 with a length", "6.1", "POST / HTTP/1.0|Host: a|Content-Length: 4|Transfer-Encoding: chunked||0||" + smuggled, "400"},

		{"two lengths", "6.3", post("Content-Length: 4|Content-Length: 5") + "body" + smuggled, "400"},
		{"two lengths, the same", "6.3", post("Content-Length: 4|Content-Length: 4") + "body", "400"},
		{"list of lengths", "6.3", post("Content-Length: 4, 5") + "body", "400"},
		{"list of lengths, the same", "6.3", post("Content-Length: 4, 4") + "body", "400"},
		{"plus", "8.6 of RFC 9110", post("Content-Length: +4") + "body", "400"},
		{"minus", "8.6 of RFC 9110", post("Content-Length: -4") + "body", "400"},
		{"minus zero", "8.6 of RFC 9110", post("Content-Length: -0") + smuggled, "400"},
		{"leading zeros", "8.6 of RFC 9110", post("Content-Length: 0004") + "body", "POST / body"},
		{"hexadecimal", "8.6 of RFC 9110", post("Content-Length: 0x4") + "body", "400"},
		{"exponent", "8.6 of RFC 9110", post("Content-Length: 1e1") + "body", "400"},
		{"fraction", "8.6 of RFC 9110", post("Content-Length: 4.0") + "body", "400"},
		{"spaces within", "8.6 of RFC 9110", post("Content-Length: 1 0") + "body", "400"},
		{"spaces around", "5.1", post("Content-Length:  4 ") + "body", "POST / body"},
		{"quoted length", "8.6 of RFC 9110", post(`Content-Length: "4"`) + "body", "400"},
		{"empty length", "8.6 of RFC 9110", post("Content-Length:") + smuggled, "400"},
		{"too large for 64 bits", "8.6 of RFC 9110", post("Content-Length: 18446744073709551620") + "body", "400"},
		{"too large for 63 bits", "8.6 of RFC 9110", post("Content-Length: 9223372036854775808") + "body", "400"},
		{"length with a space before the colon", "5.1", post("Content-Length : 4") + "body", "400"},
		{"length with a letter that only looks like one", "8.6 of RFC 9110", post("Content-Length: \xef\xbc\x94") + "body", "400"},
		{"length with an underscore", "5.1", post("Content_Length: 4") + "body", "400"},
		{"body shorter than its length", "8", post("Content-Length: 10") + "body", "nothing"},

		{"body of GET", "9.3.1 of RFC 9110", "GET / HTTP/1.1|Host: a|Content-Length: 4||bodyGET /2 HTTP/1.1|Host: a||", "GET / body; GET /2"},
		{"chunked body of GET", "9.3.1 of RFC 9110", "GET / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|body|0||GET /2 HTTP/1.1|Host: a||", "GET / body; GET /2"},
		{"body of HEAD", "9.3.2 of RFC 9110", "HEAD / HTTP/1.1|Host: a|Content-Length: 4||bodyGET /2 HTTP/1.1|Host: a||", "HEAD / body; GET /2"},
		{"body of DELETE", "9.3.5 of RFC 9110", "DELETE / HTTP/1.1|Host: a|Content-Length: 4||bodyGET /2 HTTP/1.1|Host: a||", "DELETE / body; GET /2"},
		{"body of OPTIONS *", "9.3.7 of RFC 9110", "OPTIONS * HTTP/1.1|Host: a|Content-Length: 4||bodyGET /2 HTTP/1.1|Host: a||", "OPTIONS * body; GET /2"},
		{"what looks like a body without length", "6.3", "POST / HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||", "POST /; GET /2"},
	})
}

func TestChunksAreNeverAmbiguous(t *testing.T) {
	chunked := func(body string) string {
		return "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||" + body
	}
	next := "GET /2 HTTP/1.1|Host: a||"
	checkAll(t, []ambiguity{
		{"several chunks", "7.1", chunked("1|b|3|ody|0||" + next), "POST / body; GET /2"},
		{"hexadecimal in both cases", "7.1", chunked("a|0123456789|A|abcdefghij|0||" + next), "POST / 0123456789abcdefghij; GET /2"},
		{"leading zeros", "7.1", chunked("0000004|body|000||" + next), "POST / body; GET /2"},
		{"extension", "7.1.1", chunked("4;a=b|body|0||" + next), "POST / body; GET /2"},
		{"extension with spaces", "7.1.1", chunked("4 ; a = b ;c|body|0;d||" + next), "POST / body; GET /2"},
		{"quoted extension", "7.1.1", chunked(`4;a="b;\"c"|body|0||` + next), "POST / body; GET /2"},
		{"extension with a bare CR", "7.1.1", chunked("4;a\rb|body|0||" + next), "400 within"},
		{"extension with a bare LF", "7.1.1", chunked("4;a\nbody|0||" + smuggled), "400 within"},
		{"quoted extension with CRLF", "7.1.1", chunked(`4;a="|body|0||` + smuggled), "400 within"},
		{"extension with NUL", "7.1.1", chunked("4;a\x00b|body|0||" + smuggled), "400 within"},
		{"oversized extension", "7.1.1", chunked("4;a=" + strings.Repeat("b", 8<<10) + "|body|0||" + smuggled), "400 within"},
		{"trailer", "7.1.2", chunked("4|body|0|X-Sum: 1||" + next), "POST / body; GET /2"},
		{"prefix 0x", "7.1", chunked("0x4|body|0||" + smuggled), "400 within"},
		{"plus", "7.1", chunked("+4|body|0||" + smuggled), "400 within"},
		{"minus", "7.1", chunked("-4|body|0||" + smuggled), "400 within"},
		{"minus zero", "7.1", chunked("-0||" + smuggled), "400 within"},
		{"leading space", "7.1", chunked(" 4|body|0||" + smuggled), "400 within"},
		{"trailing space", "7.1", chunked("4 |body|0||" + smuggled), "400 within"},
		{"underscore", "7.1", chunked("1_0|0123456789abcdef|0||" + smuggled), "400 within"},
		{"empty", "7.1", chunked("|body|0||" + smuggled), "400 within"},
		{"not a digit", "7.1", chunked("g|body|0||" + smuggled), "400 within"},
		{"size that overflows 64 bits", "7.1", chunked("10000000000000004|body|0||" + smuggled), "400 within"},
		{"size that is negative in 64 bits", "7.1", chunked("fffffffffffffffe|body|0||" + smuggled), "400 within"},
		{"size that overflows 32 bits", "7.1", chunked("100000004|body|0||" + smuggled), "nothing"},
		{"bare LF behind the size", "7.1", chunked("4\nbody|0||" + smuggled), "400 within"},
		{"bare CR behind the size", "7.1", chunked("4\rbody|0||" + smuggled), "400 within"},
		{"CR CR LF behind the size", "7.1", chunked("4\r|body|0||" + smuggled), "400 within"},
		{"no CRLF behind the data", "7.1", chunked("4|body0||" + smuggled), "400 within"},
		{"bare LF behind the data", "7.1", chunked("4|body\n0||" + smuggled), "400 within"},
		{"more data than the size", "7.1", chunked("4|bodymore|0||" + smuggled), "400 within"},
		{"bare LF behind the last chunk", "7.1", chunked("0\n\n" + smuggled), "400 within"},
		{"data behind the last chunk", "7.1.2", chunked("0|body||" + smuggled), "400 within"},
		{"trailer with a bare LF", "7.1.2", chunked("0|X: y\nZ: w||" + smuggled), "400 within"},
		{"trailer with a bare CR", "7.1.2", chunked("0|X: y\rZ: w||" + smuggled), "400 within"},
		{"trailer with a space before the colon", "7.1.2", chunked("0|X : y||" + smuggled), "400 within"},
		{"folded trailer", "7.1.2", chunked("0|X: y| z||" + smuggled), "400 within"},
		{"trailer that frames", "7.1.2", chunked("0|Transfer-Encoding: chunked||" + next), "POST /; GET /2"},
		{"trailer with NUL", "7.1.2", chunked("0|X: \x00||" + smuggled), "400 within"},
		{"trailer that is too large", "7.1.2", chunked("0|X: " + strings.Repeat("y", 20<<10) + "||" + smuggled), "431 within"},
		{"body that ends within a chunk", "8", chunked("8|body"), "nothing"},
		{"body that ends before the last chunk", "8", chunked("4|body|"), "nothing"},
		{"body that ends before the last CRLF", "8", chunked("4|body|0|"), "nothing"},
	})
}
