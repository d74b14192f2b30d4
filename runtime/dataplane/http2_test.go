package dataplane_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// speaking starts a member that speaks one version of HTTP, and returns a pool of it.
func speaking(t *testing.T, version string, handler http.HandlerFunc) *lb.Pool {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	switch version {
	case "HTTP/1.1":
		s.Config.Protocols.SetHTTP1(true)
		s.Start()
	case "h2c":
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	default:
		s.Config.Protocols.SetHTTP2(true)
		s.EnableHTTP2 = true
		s.StartTLS()
	}
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	p := pool(members("a", s.Listener.Addr().String()))
	if version != "HTTP/1.1" {
		p.HTTPVersion = lb.HTTP2
	}
	if version == "h2" {
		secure := lb.NewUpstreamTLS()
		secure.Verify = false
		p.UpstreamTLS = &secure
	}
	return p
}

// speakers are clients of a listener, each with connections of its own.
func speakers(t *testing.T, e *dataplane.Engine) map[string]func() (client *http.Client, url string) {
	insecure := &tls.Config{InsecureSkipVerify: true}
	return map[string]func() (*http.Client, string){
		"HTTP/1.1": func() (*http.Client, string) { return newClient(t), "http://" + address(t, e, "h2c") },
		"net/http over TLS": func() (*http.Client, string) {
			c := newClient(t)
			tr := c.Transport.(*http.Transport)
			tr.TLSClientConfig, tr.ForceAttemptHTTP2 = insecure, true
			return c, "https://" + address(t, e, "h2")
		},
		"x/net with prior knowledge": func() (*http.Client, string) {
			tr := &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			}}
			t.Cleanup(tr.CloseIdleConnections)
			return &http.Client{Transport: tr, Timeout: patience}, "http://" + address(t, e, "h2c")
		},
	}
}

// said is what a member of TestEveryClientUnderstandsEveryMember got, and when it had
// read the body, of which it got the trailer.
type said struct {
	seen
	Proto   string
	Trailer http.Header
}

// answerAll answers in every manner that a member has.
func answerAll(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/large":
		got, _ := sum(r.Body)
		w.Header().Set("X-Got", got)
		io.Copy(w, noise(2, 2<<20))
	case "/nothing":
		w.WriteHeader(204)
	case "/length":
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "hello")
	case "/hints":
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.WriteHeader(200)
	case "/abort":
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	default:
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		json.NewEncoder(w).Encode(said{seen{r.Method, r.Host, r.RequestURI, r.Header, string(body)}, r.Proto, r.Trailer})
		w.Header().Set("X-Sum", fmt.Sprint(len(body)))
	}
}

func TestEveryClientUnderstandsEveryMember(t *testing.T) {
	for _, member := range []string{"HTTP/1.1", "h2c", "h2"} {
		e := multiplexed(t, speaking(t, member, answerAll), nil)
		for name, speaker := range speakers(t, e) {
			t.Run(name+" to "+member, func(t *testing.T) {
				client, url := speaker()
				checkEcho(t, client, url, member)
				checkContent(t, client, url)
			})
		}
	}
}

func checkEcho(t *testing.T, client *http.Client, url, member string) {
	t.Helper()
	req, _ := http.NewRequest(http.MethodPost, url+"/a%2Fb?x=1;y", io.NopCloser(strings.NewReader("body")))
	req.Host = "app.example.com"
	req.Header = http.Header{"Cookie": {"a=1; b=2"}, "X-Twice": {"1", "2"}, "X-Forwarded-For": {"6.6.6.6"}, "Te": {"trailers"}, "User-Agent": {"test"}}
	req.Trailer = http.Header{"X-Sum": {"4"}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got said
	body, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(body, &got) != nil {
		t.Fatalf("the answer is %d %q, %v", resp.StatusCode, body, err)
	}
	if got.Method != "POST" || got.Host != "app.example.com" || got.URI != "/a%2Fb?x=1;y" || got.Body != "body" || (got.Proto == "HTTP/2.0") != (member != "HTTP/1.1") {
		t.Errorf("the member got %+v", got)
	}
	scheme, version := "http", map[int]string{1: "1.1", 2: "2.0"}[resp.ProtoMajor]
	if strings.HasPrefix(url, "https") {
		scheme = "https"
	}
	wantFields(t, "member", got.Header, "Cookie: a=1; b=2", "X-Twice: 1, 2", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: "+scheme,
		"X-Forwarded-Host: app.example.com", "Te: trailers", "User-Agent: test", "Via: "+version+" auditlb", "Accept-Encoding: gzip")
	wantFields(t, "member's trailer", got.Trailer, "X-Sum: 4")
	wantFields(t, "client's trailer", resp.Trailer, "X-Sum: 4")
	if id := got.Header.Get("X-Request-Id"); id == "" || resp.Header.Get("X-Request-Id") != id {
		t.Errorf("the request's id is %q and %q", id, resp.Header.Get("X-Request-Id"))
	}
}

func checkContent(t *testing.T, client *http.Client, url string) {
	t.Helper()
	down, _ := sum(noise(2, 2<<20))
	up, _ := sum(noise(1, 2<<20))
	resp, err := client.Post(url+"/large", "application/octet-stream", noise(1, 2<<20))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sum(resp.Body); got != down || err != nil || resp.Header.Get("X-Got") != up {
		t.Errorf("the client got %s, %v and the member %s", got, err, resp.Header.Get("X-Got"))
	}
	resp.Body.Close()
	for _, tc := range []struct {
		method, path, body string
		status             int
		length             int64
	}{
		{"GET", "/length", "hello", 200, 5},
		{"HEAD", "/length", "", 200, 5},
		{"GET", "/nothing", "", 204, 0},
		{"GET", "/hints", "", 200, 0},
	} {
		req, _ := http.NewRequest(tc.method, url+tc.path, nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tc.status || string(body) != tc.body || resp.ContentLength != tc.length || err != nil {
			t.Errorf("%s %s: %d %q of %d, %v", tc.method, tc.path, resp.StatusCode, body, resp.ContentLength, err)
		}
	}
	resp, err = client.Get(url + "/abort")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("an answer that was cut short looks whole")
	}
}

func TestManyStreamsShareAConnection(t *testing.T) {
	for _, member := range []string{"HTTP/1.1", "h2c"} {
		t.Run("to "+member, func(t *testing.T) {
			const streams = 50
			arrived, proceed := make(chan struct{}, streams), make(chan struct{})
			e := multiplexed(t, speaking(t, member, func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				<-proceed
				io.WriteString(w, r.URL.Path)
			}), nil)
			client, url := speakers(t, e)["x/net with prior knowledge"]()
			failed := make(chan error, streams)
			for i := range streams {
				go func() {
					path := fmt.Sprint("/", i)
					_, body, err := tryGet(client, url+path)
					if err == nil && body != path {
						err = fmt.Errorf("%s got %q", path, body)
					}
					failed <- err
				}()
			}
			for range streams {
				<-arrived
			}
			if n := e.Status().Listeners["h2c"].Connections; n != 1 {
				t.Errorf("%d streams took %d connections", streams, n)
			}
			close(proceed)
			for range streams {
				if err := <-failed; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestAStreamThatIsResetEndsTheMembersWork(t *testing.T) {
	for _, member := range []string{"HTTP/1.1", "h2c"} {
		t.Run("of "+member, func(t *testing.T) {
			arrived, ended := make(chan struct{}), make(chan struct{})
			e := multiplexed(t, speaking(t, member, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/other" {
					return
				}
				close(arrived)
				<-r.Context().Done()
				close(ended)
			}), nil)
			f := dialFrames(t, address(t, e, "h2c"))
			f.request(1, true, plainGet...)
			<-arrived
			f.WriteRSTStream(1, http2.ErrCodeCancel)
			<-ended
			// The connection goes on.
			f.request(3, true, ":method: GET", ":scheme: http", ":authority: a", ":path: /other")
			if got := f.result(3); got != "200" {
				t.Errorf("the next stream got %q", got)
			}
			eventually(t, "free of the stream", func() bool { return e.Status().Pools["app"].Members["a"].ActiveRequests == 0 })
		})
	}
}

func TestARemovedListenerLetsStreamsFinishAndSaysGoAway(t *testing.T) {
	arrived, proceed := make(chan struct{}), make(chan struct{})
	p := speaking(t, "HTTP/1.1", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-proceed
		io.WriteString(w, "finished")
	})
	e := multiplexed(t, p, nil)
	f := dialFrames(t, address(t, e, "h2c"))
	f.request(1, true, plainGet...)
	<-arrived
	e.Apply(&dataplane.Snapshot{Revision: 2, Pools: map[string]*lb.Pool{"app": p}})
	close(proceed)
	if got := f.result(1); got != "200 finished" {
		t.Errorf("the stream under way got %q", got)
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			break // the end
		}
		if g, ok := frame.(*http2.GoAwayFrame); ok && g.ErrCode != http2.ErrCodeNo {
			t.Errorf("the connection ended with %s", g.ErrCode)
		}
	}
}
