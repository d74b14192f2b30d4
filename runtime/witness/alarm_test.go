package witness_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// TestALogThatWasChangedRaisesTheAlarm brings a witness a log that is not what it
// signed, and then the right one again.
func TestALogThatWasChangedRaisesTheAlarm(t *testing.T) {
	whole := newLog(t, 20)
	tests := []struct {
		name string
		log  *testLog
		code witness.Code
		// theirs is the size that the witness has.
		theirs int64
	}{
		{"rewritten and signed again", whole.fork(t, 0, 15), witness.CodeInconsistent, 10},
		{"forked at the same size", whole.fork(t, 9, 10), witness.CodeInconsistent, 10},
		{"restored from a backup, and gone on", whole.fork(t, 5, 12), witness.CodeInconsistent, 10},
		{"restored from a backup", whole.fork(t, 7, 7), witness.CodeRolledBack, 10},
		{"begun again", whole.fork(t, 0, 1), witness.CodeRolledBack, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWitness(t, "", "a.example/w", whole)
			w.signs(t, whole.request(t, 0, 10))
			before := w.latest(t)
			log := &swapped{}
			log.Store(tt.log)
			c := collect(t, log, policyOf(t, "all", w.member()), patience)
			r := c.until(t, "w0", tt.code)
			var f *witness.Failure
			if !errors.As(r.err, &f) || f.Theirs != tt.theirs || f.Size != tt.log.size || f.Witness != "w0" {
				t.Errorf("failure %+v", f)
			}
			s := c.Status()
			if !s.Alarm || s.Witnesses[0].Alarm == "" || !strings.Contains(s.Witnesses[0].Alarm, fmt.Sprint(tt.theirs)) {
				t.Errorf("status %+v", s)
			}
			if len(tt.log.kept) > 0 || w.latest(t) != before {
				t.Error("the changed log was cosigned")
			}
			log.Store(whole)
			c.until(t, "w0", witness.CodeOK)
			whole.untilKept(t, 20, 1)
			if s := c.Status(); s.Alarm || s.Witnesses[0].Alarm != "" {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// swapped is a log that is another one now and then.
type swapped struct{ atomic.Pointer[testLog] }

func (s *swapped) Checkpoint(ctx context.Context) ([]byte, error) { return s.Load().Checkpoint(ctx) }
func (s *swapped) Cosigned(ctx context.Context) ([]byte, error)   { return s.Load().Cosigned(ctx) }
func (s *swapped) KeepCosigned(ctx context.Context, text []byte) error {
	return s.Load().KeepCosigned(ctx, text)
}

func (s *swapped) Consistency(ctx context.Context, from, to int64) (tlog.TreeProof, error) {
	return s.Load().Consistency(ctx, from, to)
}

func TestAnAlarmOutlastsAWitnessThatGoesAway(t *testing.T) {
	whole := newLog(t, 10)
	w := newWitness(t, "", "a.example/w", whole)
	w.signs(t, whole.request(t, 0, 10))
	var down atomic.Bool
	url := newListener(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if down.Load() {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		w.ServeHTTP(rw, r)
	}))
	c := collect(t, whole.fork(t, 5, 12), policyOf(t, "all", member{w.key.PublicKey(), url}), patience)
	c.until(t, "w0", witness.CodeInconsistent)
	down.Store(true)
	c.until(t, "w0", witness.CodeUnreachable)
	if s := c.Status(); !s.Alarm || s.Witnesses[0].Code != witness.CodeUnreachable || s.Witnesses[0].Alarm == "" {
		t.Errorf("status %+v", s)
	}
}
