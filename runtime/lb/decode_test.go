package lb

import (
	"errors"
	"strings"
	"testing"
)

func TestDecodeRefusesWhatItDoesNotKnowExactlyWhereItStands(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	tests := []struct {
		name, in string
		pointer  string
		says     string
	}{
		{"unknown field", `{"ovner":"x"}`, "/ovner", "not a known field"},
		{"unknown field in capitals", `{"OWNER":"x"}`, "/OWNER", "not a known field"},
		{"unknown field of a member", `{"members":{"a":{"wait":1}}}`, "/members/a/wait", "not a known field"},
		{"unknown field of a block", `{"timeouts":{"total":"1s"}}`, "/timeouts/total", "not a known field"},
		{"unknown field is escaped", `{"a/b~c":1}`, "/a~1b~0c", "not a known field"},
		{"number for a string", `{"owner":1}`, "/owner", "this number"},
		{"object for a string", `{"owner":{}}`, "/owner", "an object"},
		{"array for a map", `{"labels":[]}`, "/labels", "an array"},
		{"string for a number", `{"members":{"a":{"weight":"1"}}}`, "/members/a/weight", "a string"},
		{"fraction for a number", `{"members":{"a":{"weight":1.5}}}`, "/members/a/weight", "this number"},
		{"number out of range", `{"members":{"a":{"weight":99999999999999999999}}}`, "/members/a/weight", "this number"},
		{"number for a boolean", `{"members":{"a":{"backup":1}}}`, "/members/a/backup", "this number"},
		{"boolean for a string", `{"members":{"a":{"address":true}}}`, "/members/a/address", "a boolean"},
		{"number for a duration", `{"timeouts":{"connect":5}}`, "/timeouts/connect", "this number"},
		{"not a duration", `{"timeouts":{"connect":"soon"}}`, "/timeouts/connect", `"soon" is not a duration`},
		{"string for an array", `{"health_check":{"expected_statuses":"200"}}`, "/health_check/expected_statuses", "a string"},
		{"number in an array of strings", `{"health_check":{"expected_statuses":["200",204]}}`, "/health_check/expected_statuses/1", "this number"},
		{"array for an object", `[]`, "", "an array"},
		{"null for an object", `null`, "", "null is not allowed"},
		{"null for a string", `{"owner":null}`, "/owner", "null is not allowed"},
		{"null for a map", `{"members":null}`, "/members", "null is not allowed"},
		{"null for a block", `{"timeouts":null}`, "/timeouts", "null is not allowed"},
		{"null for a member", `{"members":{"a":null}}`, "/members/a", "null is not allowed"},
		{"null for a number of a member", `{"members":{"a":{"weight":null}}}`, "/members/a/weight", "null is not allowed"},
		{"null for a duration", `{"health_check":{"interval":null}}`, "/health_check/interval", "null is not allowed"},
		{"null in an array", `{"health_check":{"expected_statuses":[null]}}`, "/health_check/expected_statuses/0", "null is not allowed"},
		{"null for a label", `{"labels":{"a":null}}`, "/labels/a", "null is not allowed"},
		{"repeated field", `{"owner":"a","owner":"b"}`, "/owner", "duplicate"},
		{"repeated member", `{"members":{"a":{},"a":{}}}`, "/members/a", "duplicate"},
		{"bad UTF-8 in a value", "{\"owner\":\"\xff\"}", "/owner", "UTF-8"},
		{"bad UTF-8 in a name", "{\"labels\":{\"\xff\":\"\"}}", "/labels", "UTF-8"},
		{"half a surrogate pair", `{"owner":"\ud800"}`, "/owner", "surrogate"},
		{"raw control character", "{\"owner\":\"a\x00\"}", "/owner", "invalid character"},
		{"a second value", `{}{}`, "", "after top-level value"},
		{"text after the value", `{} x`, "", "after top-level value"},
		{"nothing", ``, "", "unexpected EOF"},
		{"cut off", `{"owner":"a"`, "", "unexpected EOF"},
		{"trailing comma", `{"owner":"a",}`, "", "invalid character"},
		{"comment", `{/* hello */}`, "", "invalid character"},
		{"nested without end in a field", `{"labels":{"a":` + deep, "/labels/a" + strings.Repeat("/0", 252), "max depth"},
		{"nested without end", deep, "", "an array"},
		{"too large", `{"owner":"` + strings.Repeat("x", MaxObjectBytes) + `"}`, "", "at most 1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obj, err := Decode(KindPool, []byte(tt.in))
			if obj != nil {
				t.Fatalf("decoded to %+v", obj)
			}
			var vs Violations
			if !errors.As(err, &vs) || len(vs) != 1 {
				t.Fatalf("error is %v, want one violation", err)
			}
			if vs[0].Pointer != tt.pointer || !strings.Contains(vs[0].Detail, tt.says) {
				t.Errorf("violation %q: %q, want %q: … %q …", vs[0].Pointer, vs[0].Detail, tt.pointer, tt.says)
			}
		})
	}
}

func TestDecodeOfOtherKindsPointsAtTheField(t *testing.T) {
	tests := []struct {
		name    string
		kind    Kind
		in      string
		pointer string
		says    string
	}{
		{"listener", KindListener, `{"limits":{"max_connections":"many"}}`, "/limits/max_connections", "a string"},
		{"listener with a null list", KindListener, `{"certificates":null}`, "/certificates", "null is not allowed"},
		{"route", KindRoute, `{"match":{"hosts":["a",{}]}}`, "/match/hosts/1", "an object"},
		{"route with a null target", KindRoute, `{"action":{"forward":{"web":null}}}`, "/action/forward/web", "null is not allowed"},
		{"certificate", KindCertificate, `{"private_key_version":"1"}`, "/private_key_version", "a string"},
		{"certificate with its key inside", KindCertificate, `{"private_key_pem":"x"}`, "/private_key_pem", "not a known field"},
		{"certificate with a bad time", KindCertificate, `{"not_before":"tomorrow"}`, "/not_before", "RFC 3339"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(tt.kind, []byte(tt.in))
			var vs Violations
			if !errors.As(err, &vs) || len(vs) != 1 || vs[0].Pointer != tt.pointer || !strings.Contains(vs[0].Detail, tt.says) {
				t.Errorf("error is %v, want %s … %s …", err, tt.pointer, tt.says)
			}
		})
	}
	if _, err := Decode("gateway", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "certificate, pool, listener and route") {
		t.Errorf("unknown kind: %v, want the kinds listed", err)
	}
}

// A secret can end up as the value of any field, or as its name.
func TestDecodeErrorsDoNotRepeatLongInput(t *testing.T) {
	secret := strings.Repeat("Sx9", 30)
	for _, in := range []string{
		`{"timeouts":{"connect":"` + secret + `"}}`,
		`{"` + secret + secret + `":1}`,
		`{"labels":{"` + secret + secret + `":1}}`,
		`{"labels":{"x\n` + secret + `":1}}`,
		`{"owner":"` + secret,
		secret,
	} {
		if _, err := Decode(KindPool, []byte(in)); err == nil || strings.Contains(err.Error(), secret[:40]) {
			t.Errorf("Decode(%.30q…): %v", in, err)
		}
	}
	if _, err := Decode(KindCertificate, []byte(`{"not_after":"`+secret+`"}`)); err == nil || strings.Contains(err.Error(), secret[:10]) {
		t.Errorf("time: %v", err)
	}
}

func TestAbsentFieldsTakeTheirDefaults(t *testing.T) {
	tests := []struct {
		name string
		kind Kind
		in   string
		want string
	}{
		{"pool", KindPool, `{}`, `{"algorithm":"round_robin","health_check":null,"labels":{},"members":{},"owner":"","protocol":"http","timeouts":{"connect":"5s","idle":"5m","response":"1m"}}`},
		{"member", KindPool, `{"members":{"a":{}}}`, `{"algorithm":"round_robin","health_check":null,"labels":{},"members":{"a":{"address":"","backup":false,"state":"active","weight":1}},"owner":"","protocol":"http","timeouts":{"connect":"5s","idle":"5m","response":"1m"}}`},
		{"health check", KindPool, `{"health_check":{}}`, `{"algorithm":"round_robin","health_check":{"expected_statuses":["200-399"],"healthy_threshold":2,"host":"","interval":"10s","path":"/","timeout":"2s","type":"http","unhealthy_threshold":3},"labels":{},"members":{},"owner":"","protocol":"http","timeouts":{"connect":"5s","idle":"5m","response":"1m"}}`},
		{"one timeout of three", KindPool, `{"timeouts":{"idle":"1h"}}`, `{"algorithm":"round_robin","health_check":null,"labels":{},"members":{},"owner":"","protocol":"http","timeouts":{"connect":"5s","idle":"1h","response":"1m"}}`},
		{"listener", KindListener, `{}`, `{"address":"0.0.0.0","certificates":[],"default_certificate":"","default_pool":"","labels":{},"limits":{"max_connections":50000,"max_header_bytes":65536},"owner":"","port":0,"protocol":"http","timeouts":{"idle":"1m","request_header":"10s"},"tls":{"min_version":"1.2"}}`},
		{"route", KindRoute, `{"action":{"forward":{"web":{}}}}`, `{"action":{"forward":{"web":{"weight":1}}},"labels":{},"listener":"","match":{"hosts":[],"methods":[],"path_exact":"","path_prefix":""},"owner":"","priority":0}`},
		{"certificate", KindCertificate, `{"fingerprint":"mine","issuer":"me","dns_names":["a"],"not_after":"2030-01-01T00:00:00Z"}`, `{"chain_pem":"","dns_names":[],"fingerprint":"","issuer":"","labels":{},"not_after":"0001-01-01T00:00:00Z","not_before":"0001-01-01T00:00:00Z","owner":"","private_key_version":0}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obj, err := Decode(tt.kind, []byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Encode(obj); err != nil || string(got) != tt.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, tt.want)
			}
		})
	}
}
