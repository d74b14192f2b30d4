package dataplane_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// threeNamed are members that answer with their names, a, b and c.
func threeNamed(t *testing.T) map[string]lb.Member {
	return members("a", named(t, "a"), "b", named(t, "b"), "c", named(t, "c"))
}

// visit makes a request with fields, and returns who served it and the cookies set.
func visit(t *testing.T, client *http.Client, url string, fields ...string) (member string, cookies []*http.Cookie) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Add(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	return string(body), resp.Cookies()
}

func TestACookieTiesAClientToItsMember(t *testing.T) {
	p := pool(threeNamed(t))
	affinity := lb.NewAffinity()
	affinity.TTL = lb.Duration(time.Hour)
	p.Affinity = &affinity
	p.Normalize()
	d := &decisions{}
	e := newEngine(t, dataplane.Options{Recorder: d})
	e.Apply(simple(1, p))
	client, web := newClient(t), "http://"+address(t, e, "web")

	home, cookies := visit(t, client, web)
	if len(cookies) != 1 || cookies[0].Name != lb.DefaultAffinityCookie || !cookies[0].HttpOnly || cookies[0].Secure || cookies[0].MaxAge != 3600 || cookies[0].Path != "/" {
		t.Fatalf("the first answer sets %v", cookies)
	}
	if strings.Contains(cookies[0].Value, p.Members[home].Address) || cookies[0].Value == home {
		t.Errorf("the cookie tells who the member is: %s", cookies[0].Value)
	}
	ours := "Cookie: other=1; " + cookies[0].Name + "=" + cookies[0].Value + "; more=2"
	for range 6 {
		if member, set := visit(t, client, web, ours); member != home || len(set) > 0 {
			t.Fatalf("the client of %s was served by %s, which set %v", home, member, set)
		}
	}

	served := map[string]bool{}
	for range 6 {
		member, set := visit(t, client, web, "Cookie: "+cookies[0].Name+"=forged")
		if served[member] = true; len(set) != 1 {
			t.Errorf("a cookie of nobody was not replaced: %v", set)
		}
	}
	if len(served) != 3 {
		t.Errorf("cookies of nobody lead to %v only", served)
	}

	e.Apply(simple(2, alter(p, member(home, func(m *lb.Member) { m.State = lb.MemberDrain }))))
	elsewhere, set := visit(t, client, web, ours)
	if elsewhere == home || len(set) != 1 || set[0].Value == cookies[0].Value {
		t.Errorf("the client of a drained member was served by %s, which set %v", elsewhere, set)
	}
	if d.count(dataplane.CauseAffinity) == 0 {
		t.Error("a tie that was broken left no record")
	}
	e.Apply(simple(3, p))
	if member, _ := visit(t, client, web, ours); member != home {
		t.Errorf("the client of %s, which is back, was served by %s", home, member)
	}
}

func TestTheSameKeyLeadsToTheSameMember(t *testing.T) {
	for _, tc := range []struct {
		key lb.HashKey
		// request returns the path and a field of a request with a key.
		request func(key int) (path, field string)
	}{
		{lb.HashKey{Source: lb.HashHeader, Name: "x-user"}, func(k int) (string, string) { return "/", fmt.Sprint("X-User: ", k) }},
		{lb.HashKey{Source: lb.HashCookie, Name: "session"}, func(k int) (string, string) { return "/", fmt.Sprint("Cookie: a=b; session=", k) }},
		{lb.HashKey{Source: lb.HashPath}, func(k int) (string, string) { return fmt.Sprint("/", k, "?x"), "X: y" }},
		{lb.HashKey{Source: lb.HashQuery, Name: "user"}, func(k int) (string, string) { return fmt.Sprint("/?a=b&user=", k), "X: y" }},
	} {
		for _, algorithm := range []lb.Algorithm{lb.RingHash, lb.Maglev} {
			t.Run(fmt.Sprint(tc.key.Source, " ", algorithm), func(t *testing.T) {
				p := pool(threeNamed(t))
				p.Algorithm, p.HashKey = algorithm, &tc.key
				e := newEngine(t, dataplane.Options{})
				e.Apply(simple(1, p))
				client, web := newClient(t), "http://"+address(t, e, "web")
				served := map[string]bool{}
				for key := range 24 {
					path, field := tc.request(key)
					first, _ := visit(t, client, web+path, field)
					served[first] = true
					for range 2 {
						if again, _ := visit(t, client, web+path, field); again != first {
							t.Errorf("key %d was served by %s and by %s", key, first, again)
						}
					}
				}
				if len(served) != 3 {
					t.Errorf("24 keys lead to %v only", served)
				}
			})
		}
	}
}

func TestOneClientAddressLeadsToOneMember(t *testing.T) {
	p := pool(threeNamed(t))
	p.Affinity = &lb.Affinity{Type: lb.AffinitySourceIP}
	p.Normalize()
	l := listener(lb.ListenerHTTP, "app")
	l.TrustedProxies = []string{"127.0.0.1/32"}
	s := simple(1, p)
	s.Listeners = map[string]*lb.Listener{"web": l}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	client, web := newClient(t), "http://"+address(t, e, "web")
	served := map[string]bool{}
	for i := range 24 {
		from := fmt.Sprint("X-Forwarded-For: 192.0.2.", i)
		first, set := visit(t, client, web, from)
		again, _ := visit(t, client, web, from)
		if served[first] = true; first != again || len(set) > 0 {
			t.Errorf("client %d was served by %s and by %s, cookies %v", i, first, again, set)
		}
	}
	if len(served) != 3 {
		t.Errorf("24 clients were all served by %v", served)
	}
}

func TestWithoutSlowStartANewMemberServesItsShareAtOnce(t *testing.T) {
	p := pool(members("a", named(t, "a")))
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	client, web := newClient(t), "http://"+address(t, e, "web")
	visit(t, client, web)
	b := named(t, "b")
	e.Apply(simple(2, alter(p, func(p *lb.Pool) { p.Members["b"] = members("b", b)["b"] })))
	served := map[string]int{}
	for range 10 {
		member, _ := visit(t, client, web)
		served[member]++
	}
	if served["a"] != 5 || served["b"] != 5 {
		t.Errorf("10 requests were served by %v", served)
	}
}
