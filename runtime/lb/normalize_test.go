package lb

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEncodedObjectsDecodeToThemselves(t *testing.T) {
	r := newRandom(t)
	chains := []string{newIssued(t, "a.example.com").chain, newIssued(t, "B.example.com", "c.example.com").chain}
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			for range 100 {
				before := randomObject(r, kind, chains)
				encoded, err := Encode(before)
				if err != nil {
					t.Fatal(err)
				}
				after, err := Decode(kind, encoded)
				if err != nil {
					t.Fatalf("%v\n%s", err, encoded)
				}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Fatalf("came back changed:\n%s", diff)
				}
				again, err := Encode(after)
				if err != nil || !bytes.Equal(encoded, again) {
					t.Fatalf("%v\nfirst  %s\nsecond %s", err, encoded, again)
				}
			}
		})
	}
}

func TestNormalizingTwiceChangesNothing(t *testing.T) {
	r := newRandom(t)
	for _, kind := range Kinds {
		for range 100 {
			obj := randomObject(r, kind, nil)
			once, err := Encode(obj)
			if err != nil {
				t.Fatal(err)
			}
			obj.Normalize()
			if twice, err := Encode(obj); err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%v\nonce  %s\ntwice %s", err, once, twice)
			}
		}
	}
}

func TestWhatMeansTheSameIsEncodedTheSame(t *testing.T) {
	tests := []struct {
		name string
		kind Kind
		a, b string
	}{
		{"order of members", KindPool, `{"owner":"x","members":{"a":{},"b":{}}}`, `{"members":{"b":{},"a":{}},"owner":"x"}`},
		{"default said or left out", KindPool, `{"members":{"a":{"weight":1}}}`, `{"members":{"a":{}},"protocol":"http"}`},
		{"unit of a duration", KindPool, `{"timeouts":{"idle":"60s"}}`, `{"timeouts":{"idle":"1m"}}`},
		{"order and repetition in a set", KindRoute, `{"match":{"hosts":["b","a","b"],"methods":["PUT","GET"]}}`, `{"match":{"hosts":["a","b"],"methods":["GET","PUT"]}}`},
		{"capitals of a host", KindRoute, `{"match":{"hosts":["A.Example"]}}`, `{"match":{"hosts":["a.example"]}}`},
		{"spelling of an address", KindListener, `{"address":"0:0:0:0:0:0:0:1"}`, `{"address":"::1"}`},
		{"IPv4 address written as IPv6", KindListener, `{"address":"::ffff:10.0.0.1"}`, `{"address":"10.0.0.1"}`},
		{"spelling of a network", KindListener, `{"allowed_cidrs":["10.1.2.3/8","::ffff:192.0.2.7/120"]}`, `{"allowed_cidrs":["192.0.2.0/24","10.0.0.0/8"]}`},
		{"order of protocols", KindListener, `{"tls":{"alpn":["http/1.1","h2"]}}`, `{}`},
		{"spelling of a proxy's network", KindListener, `{"trusted_proxies":["10.1.2.3/8"]}`, `{"trusted_proxies":["10.0.0.0/8"]}`},
		{"order of certificates", KindListener, `{"certificates":["b","a"]}`, `{"certificates":["a","b"]}`},
		{"order of statuses", KindPool, `{"health_check":{"expected_statuses":["404","200"]}}`, `{"health_check":{"expected_statuses":["200","404"]}}`},
		{"capitals of a probe's host", KindPool, `{"health_check":{"host":"App.Example"}}`, `{"health_check":{"host":"app.example"}}`},
		{"order of causes", KindPool, `{"retries":{"on":["reset","500","reset"]}}`, `{"retries":{"on":["500","reset"]}}`},
		{"capitals of a header that is hashed", KindPool, `{"hash_key":{"source":"header","name":"X-User"}}`, `{"hash_key":{"source":"header","name":"x-user"}}`},
		{"capitals of a header of an affinity", KindPool, `{"affinity":{"type":"header","name":"X-User"}}`, `{"affinity":{"type":"header","name":"x-user"}}`},
		{"capitals of a server's name", KindPool, `{"upstream_tls":{"server_name":"App.Internal"}}`, `{"upstream_tls":{"server_name":"app.internal"}}`},
		{"capitals of headers to remove", KindRoute, `{"request_headers":{"remove":["X-B","x-a","X-A"]}}`, `{"request_headers":{"remove":["x-a","x-b"]}}`},
		{"capitals of new hosts", KindRoute, `{"action":{"rewrite":{"host":"A.b"},"redirect":{"host":"C.d"}}}`, `{"action":{"rewrite":{"host":"a.b"},"redirect":{"host":"c.d"}}}`},
		{"absent and empty maps", KindRoute, `{"match":{"headers":{}},"request_headers":{"set":{}},"action":{"forward":{}}}`, `{}`},
		{"absent and empty", KindListener, `{"certificates":[],"labels":{}}`, `{}`},
		{"white space and escapes", KindPool, "{ \"owner\" : \"\\u0061\\/\" }", `{"owner":"a/"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var encoded [2]string
			for i, in := range []string{tt.a, tt.b} {
				obj, err := Decode(tt.kind, []byte(in))
				if err != nil {
					t.Fatal(err)
				}
				b, err := Encode(obj)
				if err != nil {
					t.Fatal(err)
				}
				encoded[i] = string(b)
			}
			if encoded[0] != encoded[1] {
				t.Errorf("%s\n is not\n%s", encoded[0], encoded[1])
			}
		})
	}
}

// The names of cookies and query parameters have a case.
func TestWhatHasACaseKeepsIt(t *testing.T) {
	for name, in := range map[string][2]string{
		"cookie that is hashed":          {`{"hash_key":{"source":"cookie","name":"SID"}}`, `{"hash_key":{"source":"cookie","name":"sid"}}`},
		"query parameter that is hashed": {`{"hash_key":{"source":"query","name":"User"}}`, `{"hash_key":{"source":"query","name":"user"}}`},
		"cookie of an affinity":          {`{"affinity":{"name":"SID"}}`, `{"affinity":{"name":"sid"}}`},
	} {
		var encoded [2]string
		for i := range in {
			obj, err := Decode(KindPool, []byte(in[i]))
			if err != nil {
				t.Fatal(err)
			}
			b, err := Encode(obj)
			if err != nil {
				t.Fatal(err)
			}
			encoded[i] = string(b)
		}
		if encoded[0] == encoded[1] {
			t.Errorf("%s: %s is the same as %s", name, in[0], in[1])
		}
	}
}
