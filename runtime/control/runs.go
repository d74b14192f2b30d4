package control

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	runPrefix       = "run"
	maxRunIDLength  = 200
	maxClaimsLength = 8 << 10
)

// Run is one execution of Terraform, as it was registered.
type Run struct {
	// Claims are what the run says of itself, unverified: a JSON object.
	Claims jsontext.Value `json:"claimed"`
	// Proof is what a token proved of the run; nil as long as none did.
	Proof        *RunProof `json:"proof,omitzero"`
	RegisteredBy string    `json:"registered_by"`
	FirstSeen    time.Time `json:"first_seen"`
}

// RunProof is an identity provider's word for a run.
type RunProof struct {
	Provider string            `json:"provider"`
	Issuer   string            `json:"issuer"`
	Subject  string            `json:"subject"`
	Facts    map[string]string `json:"facts,omitzero"`
}

// HeldRun is a run with its id and the entry that last registered it.
type HeldRun struct {
	Run
	ID  string
	Seq int64
}

// RegisterRun records a run. Registering the same again is Unchanged: every
// provider process of one Terraform command does it. Any actor may act in a
// run, since a pipeline may plan with one token and apply with another's; what
// the run claims is changed only by the actor who registered it, or by one who
// can prove to be the run.
func (c *Controller) RegisterRun(ctx context.Context, call Call, id string, claims any) (Outcome, error) {
	encoded, err := lb.Canonical(claims)
	if err != nil {
		return Outcome{}, err
	}
	return c.submit(ctx, call, Subject{runPrefix + "/" + id, "register"}, len(encoded), func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeRun}
		if vs := checkRunForm(id, encoded); len(vs) > 0 {
			return d, refuseFields(CodeInvalid, "the run is not valid", vs)
		}
		if err := checkClaims(call, encoded); err != nil {
			return d, err
		}
		run := Run{Claims: encoded, Proof: proofOf(call), RegisteredBy: call.Actor.Name, FirstSeen: b.time()}
		var held Run
		revision, err := b.state(runPrefix+"/"+id, &held)
		if err != nil {
			return d, err
		}
		if revision != 0 {
			if err := checkProof(call, id, held.Proof); err != nil {
				return d, err
			}
			if bytes.Equal(held.Claims, encoded) && (run.Proof == nil || held.Proof != nil) {
				outcome, err := b.outcome(revision)
				outcome.Unchanged = true
				return draft{existing: &outcome}, err
			}
			if !held.heeds(call) {
				return d, refuse(CodePreconditionFailed, "run %s was registered by %s, with other claims; only they can change what it claims", id, held.RegisteredBy)
			}
			d.base, run.FirstSeen = revision, held.FirstSeen
			if d.body.Before, err = lb.Canonical(held); err != nil {
				return d, err
			}
		}
		d.body.After, err = lb.Canonical(run)
		return d, err
	})
}

// heeds reports whether a caller may change what a run says of itself: who proves to be it
// and, as long as nobody did, who registered it.
func (r *Run) heeds(call Call) bool {
	return call.runVerified() || (r.Proof == nil && r.RegisteredBy == call.Actor.Name)
}

func checkRunForm(id string, claims []byte) lb.Violations {
	var vs lb.Violations
	if id == "" || len(id) > maxRunIDLength || strings.IndexFunc(id, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar || r == ' ' }) >= 0 {
		vs = append(vs, lb.Violation{Detail: fmt.Sprintf("the run's id must be 1 to %d printable bytes without spaces", maxRunIDLength)})
	}
	if len(claims) > maxClaimsLength {
		vs = append(vs, lb.Violation{Detail: fmt.Sprintf("the run's claims are %d bytes; at most %d are allowed", len(claims), maxClaimsLength)})
	}
	return vs
}

// RunByID returns a run, or nil.
func (c *Controller) RunByID(ctx context.Context, id string) (*HeldRun, error) {
	current, err := c.opts.Store.Current(ctx, runPrefix+"/"+id)
	if err != nil || current == nil || current.State == nil {
		return nil, err
	}
	return parseRun(*current)
}

// Runs returns runs, newest registration first, registered before an entry (0:
// no bound).
func (c *Controller) Runs(ctx context.Context, before int64, limit int) ([]HeldRun, error) {
	rows, err := c.opts.Store.States(ctx, runPrefix+"/", before, limit)
	if err != nil {
		return nil, err
	}
	out := make([]HeldRun, 0, len(rows))
	for _, row := range rows {
		r, err := parseRun(row)
		if err != nil {
			return nil, err
		}
		out = append(out, *r)
	}
	return out, nil
}

func parseRun(row audit.Current) (*HeldRun, error) {
	r := HeldRun{ID: strings.TrimPrefix(row.Resource, runPrefix+"/"), Seq: row.Seq}
	if err := json.Unmarshal(row.State, &r.Run); err != nil {
		return nil, fmt.Errorf("state of %s: %w", row.Resource, err)
	}
	return &r, nil
}
