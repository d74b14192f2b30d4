package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// maxWitnessEvery bounds how seldom witnesses are brought a new checkpoint.
const maxWitnessEvery = time.Hour

// checkWitnesses checks what can be checked without the policy's file.
func (l *Log) checkWitnesses() error {
	if d, err := time.ParseDuration(l.WitnessEvery); err != nil || d <= 0 || d > maxWitnessEvery {
		return fmt.Errorf("log.witness_every: %q must be a duration such as 10s, at most %s", l.WitnessEvery, maxWitnessEvery)
	}
	return nil
}

// witnesses has the log cosigned. Everything about it is beside the write path: changes
// and traffic don't wait for witnesses, nor does what those say stop them.
type witnesses struct {
	*witness.Collector
	policy *witness.Policy
	log    witnessedLog
	logger *slog.Logger
	// results counts tries.
	results *prometheus.CounterVec
	// said is the last code of each witness. Only the collector's callbacks use it.
	said map[string]witness.Code
}

// newWitnesses reads the policy; nil without one. The store comes with begin.
func newWitnesses(c Config, logger *slog.Logger, registry *prometheus.Registry) (*witnesses, error) {
	if c.Log.WitnessPolicyFile == "" {
		return nil, nil
	}
	policy, err := witness.LoadPolicy(c.Log.WitnessPolicyFile)
	if err != nil {
		return nil, fmt.Errorf("configuration: log.witness_policy_file: %w", err)
	}
	every, err := time.ParseDuration(c.Log.WitnessEvery)
	if err != nil {
		return nil, fmt.Errorf("configuration: log.witness_every: %w", err)
	}
	w := &witnesses{policy: policy, logger: logger, said: map[string]witness.Code{}}
	w.results = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "auditlb_witness_cosignatures_total", Help: "Checkpoints brought to witnesses, by witness and what became of it: ok is a cosignature.",
	}, []string{"witness", "result"})
	w.Collector, err = witness.NewCollector(&w.log, witness.CollectorConfig{
		Policy: policy, Every: every, OnResult: w.result,
		OnKept: func(size int64, cosignatures int) {
			logger.Debug("checkpoint cosigned", "size", size, "cosignatures", cosignatures)
		},
		OnFailed: func(err error) { logger.Warn("witnesses not served", "error", err) },
	})
	if err != nil {
		return nil, fmt.Errorf("configuration: log.witness_policy_file: %s: %w", c.Log.WitnessPolicyFile, err)
	}
	for _, one := range w.Status().Witnesses {
		for _, code := range witness.Codes {
			w.results.WithLabelValues(one.Name, string(code))
		}
	}
	registry.MustRegister(w.results,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "auditlb_witness_cosigned_size", Help: "Entries in the newest checkpoint that meets the witness policy's quorum.",
		}, func() float64 { return float64(w.Status().Size) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "auditlb_witness_alarm", Help: "1 while a witness says that the log was rewritten or rolled back.",
		}, func() float64 {
			if w.Status().Alarm {
				return 1
			}
			return 0
		}))
	return w, nil
}

// begin is told the log, once it is open. A policy that names logs must name this one.
func (w *witnesses) begin(store control.Store, origin string) error {
	w.log.store = store
	ours := func(vkey string) bool { return strings.HasPrefix(vkey, origin+"+") }
	if len(w.policy.Logs) > 0 && !slices.ContainsFunc(w.policy.Logs, ours) {
		return fmt.Errorf("configuration: log.witness_policy_file: it names logs, and %q is none of them: add a log line with the key in %s", origin, PublicKeyName)
	}
	return nil
}

// result makes loud what deserves it: an alarm each time, anything else when it begins
// and ends.
func (w *witnesses) result(name string, err error) {
	code := witness.CodeOK
	var failure *witness.Failure
	if errors.As(err, &failure) {
		code = failure.Code
	}
	w.results.WithLabelValues(name, string(code)).Inc()
	before := w.said[name]
	w.said[name] = code
	switch {
	case code.Alarm():
		w.logger.Error("WITNESS ALARM: the log may have been rewritten or rolled back", "witness", name, "code", code,
			"size", failure.Size, "witness_size", failure.Theirs, "error", err)
	case code == before:
	case code != witness.CodeOK:
		w.logger.Warn("checkpoint not cosigned", "witness", name, "code", code, "error", err)
	case before != "":
		w.logger.Info("witness cosigns again", "witness", name)
	}
}

// status is how things stand with the log's witnesses, as the API shows it.
func (w *witnesses) status() (out []api.LogWitness, alarm bool) {
	status := w.Status()
	for _, one := range status.Witnesses {
		out = append(out, api.LogWitness{
			Name: one.Name, URL: one.URL, Size: one.Size, CosignedAt: one.At.UTC(),
			Result: string(one.Code), Detail: one.Detail, Alarm: one.Alarm,
		})
	}
	return out, status.Alarm
}

// witnessedLog is the log as witnesses are shown it. It implements [witness.Log] over
// the store.
type witnessedLog struct{ store control.Store }

// Checkpoint implements [witness.Log].
func (l *witnessedLog) Checkpoint(ctx context.Context) ([]byte, error) {
	extent, err := l.store.Extent(ctx)
	return extent.Note, err
}

// Consistency implements [witness.Log].
func (l *witnessedLog) Consistency(ctx context.Context, from, to int64) (tlog.TreeProof, error) {
	return tlog.ProveTree(to, from, audit.HashReader(ctx, l.store))
}

// Cosigned implements [witness.Log].
func (l *witnessedLog) Cosigned(ctx context.Context) ([]byte, error) {
	return l.store.Kept(ctx, control.KeptCosigned)
}

// KeepCosigned implements [witness.Log].
func (l *witnessedLog) KeepCosigned(ctx context.Context, checkpoint []byte) error {
	return l.store.Keep(ctx, control.KeptCosigned, checkpoint)
}
