package tlsconfig

import (
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// resumes connects and reports whether the client's session was resumed.
func resumes(t *testing.T, server, client *tls.Config) bool {
	t.Helper()
	state, err, serverErr := handshake(server, client)
	if err != nil {
		t.Fatalf("the client saw %v, the server %v", err, serverErr)
	}
	return state.DidResume
}

// remembering is a client that resumes its sessions.
func remembering(client *tls.Config, version uint16) *tls.Config {
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	client.MaxVersion = version
	return client
}

func TestASessionIsResumedByTheNextVersionOfTheListener(t *testing.T) {
	ca := newAuthority(t, "ca")
	for _, version := range versions {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			var live Listener
			client := remembering(trusting(ca, "app.test"), version)
			if resumes(t, live.Config(listening(nil, ca.issue(t, "old", "app.test"))), client) {
				t.Fatal("the first handshake resumed a session")
			}
			next := live.Config(listening(func(l *lb.Listener) { l.TLS.ALPN = nil }, ca.issue(t, "new", "app.test")))
			for range 2 {
				if !resumes(t, next, client) {
					t.Error("the session was not resumed")
				}
			}
		})
	}
}

func TestASessionIsNotResumedUnderOtherRulesForClientCertificates(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	app, known := ca.issue(t, "app", "app.test"), ca.issue(t, "known")
	rules := func(auth lb.ClientAuth, pem string) func(*lb.Listener) {
		return func(l *lb.Listener) { l.TLS.ClientAuth, l.TLS.ClientCAPEM = auth, pem }
	}
	for _, tc := range []struct {
		name          string
		before, after func(*lb.Listener)
		want          bool
	}{
		{"the same rules", rules(lb.ClientAuthRequired, ca.pem), rules(lb.ClientAuthRequired, ca.pem), true},
		{"asked now", rules(lb.ClientAuthNone, ""), rules(lb.ClientAuthOptional, ca.pem), false},
		{"no longer asked", rules(lb.ClientAuthOptional, ca.pem), rules(lb.ClientAuthNone, ""), false},
		{"required now", rules(lb.ClientAuthOptional, ca.pem), rules(lb.ClientAuthRequired, ca.pem), false},
		{"one authority less", rules(lb.ClientAuthRequired, ca.pem+other.pem), rules(lb.ClientAuthRequired, ca.pem), false},
		{"one authority more", rules(lb.ClientAuthRequired, ca.pem), rules(lb.ClientAuthRequired, ca.pem+other.pem), false},
	} {
		for _, version := range versions {
			t.Run(tc.name+" "+tls.VersionName(version), func(t *testing.T) {
				var live Listener
				client := remembering(trusting(ca, "app.test", known), version)
				resumes(t, live.Config(listening(tc.before, app)), client)
				if got := resumes(t, live.Config(listening(tc.after, app)), client); got != tc.want {
					t.Errorf("the session was resumed: %t", got)
				}
			})
		}
	}
}

func TestASessionOfOneListenerIsNotResumedByAnother(t *testing.T) {
	ca := newAuthority(t, "ca")
	app := ca.issue(t, "app", "app.test")
	client := remembering(trusting(ca, "app.test"), tls.VersionTLS13)
	var one, another Listener
	resumes(t, one.Config(listening(nil, app)), client)
	if resumes(t, another.Config(listening(nil, app)), client) {
		t.Error("the session was resumed")
	}
}

func TestATicketOpensForADayAfterItsKeyWasReplaced(t *testing.T) {
	for _, tc := range []struct {
		name     string
		sealed   time.Duration // when, since the key was made
		presence []time.Duration
		later    time.Duration // how much later the ticket comes back
		want     bool
	}{
		{"at once", 0, nil, 0, true},
		{"before the key is replaced", 0, nil, 12*time.Hour - 1, true},
		{"after the key was replaced", 0, nil, 12 * time.Hour, true},
		{"at the end of the day after", 0, nil, 36*time.Hour - 1, true},
		{"later than that", 0, nil, 36 * time.Hour, false},
		{"sealed late", 11 * time.Hour, nil, 25*time.Hour - 1, true},
		{"sealed late and too old", 11 * time.Hour, nil, 25 * time.Hour, false},
		{"with traffic in between", 0, []time.Duration{13 * time.Hour, 12 * time.Hour}, 10 * time.Hour, true},
		{"with traffic in between and too old", 0, []time.Duration{13 * time.Hour, 12 * time.Hour}, 11 * time.Hour, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := newAuthority(t, "ca")
				var live Listener
				server := live.Config(listening(nil, ca.issue(t, "app", "app.test")))
				others := remembering(trusting(ca, "app.test"), tls.VersionTLS13)
				resumes(t, server, others) // makes the first key
				time.Sleep(tc.sealed)
				client := remembering(trusting(ca, "app.test"), tls.VersionTLS13)
				resumes(t, server, client)
				for _, pause := range tc.presence {
					time.Sleep(pause)
					resumes(t, server, others)
				}
				time.Sleep(tc.later)
				if got := resumes(t, server, client); got != tc.want {
					t.Errorf("the session was resumed: %t", got)
				}
				if n := len(live.keys.keys); n > 3 {
					t.Errorf("%d keys are kept, want at most 3", n)
				}
			})
		})
	}
}

func TestTicketsAreSealedWithANewKeyEveryTwelveHours(t *testing.T) {
	var k ticketKeys
	start := time.Now()
	first, until := k.at(start)
	if want := start.Add(12 * time.Hour); !until.Equal(want) {
		t.Errorf("the keys change at %s, want %s", until, want)
	}
	if same, _ := k.at(until.Add(-1)); same[0] != first[0] {
		t.Error("the key was replaced too early")
	}
	second, until := k.at(until)
	if second[0] == first[0] || second[1] != first[0] {
		t.Error("after 12 hours the first key is not the second")
	}
	third, until := k.at(until)
	if len(third) != 3 || third[2] != first[0] {
		t.Error("after 24 hours the first key is not the third")
	}
	fourth, _ := k.at(until)
	if len(fourth) != 3 || fourth[2] == first[0] {
		t.Error("after 36 hours the first key is still there")
	}
	if idle, _ := k.at(start.AddDate(1, 0, 0)); len(idle) != 1 {
		t.Errorf("after a year without traffic there are %d keys, want 1", len(idle))
	}
}
