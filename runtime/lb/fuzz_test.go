package lb

import (
	"bytes"
	"crypto/elliptic"
	"errors"
	"strings"
	"testing"
)

func FuzzDecodePool(f *testing.F) {
	fuzzDecode(f, KindPool, `{"owner":"x","members":{"a":{"address":"10.0.0.1:80","weight":3}},"health_check":{"interval":"1s","expected_statuses":["200"]},`+
		`"algorithm":"maglev","hash_key":{"source":"header","name":"X-User"},"outlier_detection":{},"retries":{"on":["reset","503"]},"affinity":{"ttl":"1h"},"upstream_tls":{"ca_pem":"x"}}`)
}

func FuzzDecodeListener(f *testing.F) {
	fuzzDecode(f, KindListener, `{"owner":"x","address":"::1","port":443,"protocol":"https","certificates":["a","b"],"limits":{"max_connections":1,"request_rate":5},`+
		`"tls":{"alpn":["h2"],"client_auth":"optional","client_ca_pem":"x"},"proxy_protocol":true,"trusted_proxies":["10.0.0.1/8","::ffff:1.2.3.4/100"]}`)
}

func FuzzDecodeRoute(f *testing.F) {
	fuzzDecode(f, KindRoute, `{"owner":"x","listener":"edge","match":{"hosts":["*.a"],"path_regex":"/(a|b)+/(?P<c>.*)","headers":{"x-a":{"type":"prefix","value":"1"}},"query":{"q":{}}},`+
		`"action":{"forward":{"web":{"weight":2}},"rewrite":{"path":"/$1/${c}","host":"[::1]:80"},"mirror":{"pool":"next"},"redirect":{"path":"//x"},"fixed_response":{"status":204}},`+
		`"request_headers":{"set":{"x-a":"1"},"add":{"via":"x"},"remove":["Host"]}}`)
}

func FuzzDecodeCertificate(f *testing.F) {
	fuzzDecode(f, KindCertificate, `{"owner":"x","chain_pem":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}`)
}

// fuzzDecode holds: no panic; an error is made of violations and is short; what
// decodes encodes to bytes that decode to the same bytes.
func fuzzDecode(f *testing.F, kind Kind, seed string) {
	for _, s := range []string{seed, `{}`, `null`, `[]`, `{"owner":null}`, `{"labels":{"a~/b":"\u0000"}}`, `{"owner":"a","owner":"b"}`, "{\"\xff\":1}", strings.Repeat(`{"a":`, 100)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		obj, err := Decode(kind, data)
		if err != nil {
			var vs Violations
			if !errors.As(err, &vs) || len(vs) == 0 || len(err.Error()) > 2000 {
				t.Fatalf("%d bytes of error: %.200v", len(err.Error()), err)
			}
			return
		}
		if vs := obj.Validate(); len(vs) > MaxViolations {
			t.Fatalf("%d violations", len(vs))
		}
		first, err := Encode(obj)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(kind, first)
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if second, err := Encode(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
	})
}

func FuzzChainAndKey(f *testing.F) {
	root := issue(f, newKey(f, elliptic.P256()), nil)
	leaf := issue(f, newKey(f, elliptic.P256()), &root, "a")
	f.Add(leaf.chain, leaf.pem)
	f.Add(leaf.chain+root.chain, leaf.pem+root.pem)
	f.Add(leaf.pem, leaf.chain)
	f.Add(leaf.chain+leaf.pem, "")
	f.Add("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, chainPEM, keyPEM string) {
		chain, err := ParseChain(chainPEM)
		if err != nil {
			assertRepeatsNothing(t, err, chainPEM)
		} else if strings.Contains(chainPEM, "PRIVATE KEY") || len(chain) == 0 {
			t.Fatalf("%d certificates of %q", len(chain), chainPEM)
		}
		pair, err := KeyPair(chainPEM, keyPEM)
		if err != nil {
			assertRepeatsNothing(t, err, chainPEM, keyPEM)
		} else if len(pair.Certificate) != len(chain) {
			t.Fatalf("the pair has %d certificates, the chain %d", len(pair.Certificate), len(chain))
		}
	})
}
