package lb

import "testing"

func TestWhatDependsOnUnknownValuesIsNotSettled(t *testing.T) {
	tests := []struct {
		name    string
		kind    Kind
		pointer string
		unknown []string
		settled bool
	}{
		{"nothing unknown", KindPool, "/owner", nil, true},
		{"another value", KindPool, "/owner", []string{"/protocol"}, true},
		{"the value itself", KindPool, "/owner", []string{"/owner"}, false},
		{"a value within", KindPool, "/members", []string{"/members/a/address"}, false},
		{"what it is part of", KindPool, "/members/a/address", []string{"/members/a"}, false},
		{"a name that begins alike", KindListener, "/port", []string{"/port_range"}, true},
		{"timeout while the interval is unknown", KindPool, "/health_check/timeout", []string{"/health_check/interval"}, false},
		{"interval while the timeout is unknown", KindPool, "/health_check/interval", []string{"/health_check/timeout"}, true},
		{"certificates while the protocol is unknown", KindListener, "/certificates", []string{"/protocol"}, false},
		{"one certificate while the protocol is unknown", KindListener, "/certificates/0", []string{"/protocol"}, false},
		{"default certificate while the certificates are unknown", KindListener, "/default_certificate", []string{"/certificates"}, false},
		{"default pool while the protocol is unknown", KindListener, "/default_pool", []string{"/protocol"}, false},
		{"prefix while the exact path is unknown", KindRoute, "/match/path_prefix", []string{"/match/path_exact"}, false},
		{"the same names in another kind", KindPool, "/certificates", []string{"/protocol"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vs := Settled(tt.kind, Violations{{Pointer: tt.pointer, Detail: "is wrong"}}, tt.unknown)
			if (len(vs) == 1) != tt.settled {
				t.Errorf("settled violations of %s with %q unknown: %v", tt.pointer, tt.unknown, vs)
			}
		})
	}
}
