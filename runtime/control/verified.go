package control

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// proofOf is what the caller's credential proves of the run, or nil.
func proofOf(call Call) *RunProof {
	if !call.runVerified() {
		return nil
	}
	v := call.Actor.Verified
	return &RunProof{Provider: v.Provider, Issuer: v.Issuer, Subject: v.Subject, Facts: v.Run.Facts()}
}

// comparedClaims are the claims that have to agree with a token.
var comparedClaims = []string{"system", "repository", "commit", "attempt", "workspace", "phase", "actor"}

// checkClaims refuses claims that contradict what the caller's credential proves.
func checkClaims(call Call, encoded []byte) error {
	if err := checkVerified(call); err != nil || !call.runVerified() {
		return err
	}
	var claims map[string]string
	if err := json.Unmarshal(encoded, &claims); err != nil {
		return fmt.Errorf("claims of run %s: %w", call.Run, err)
	}
	proved := call.Actor.Verified.Run.Facts()
	var vs lb.Violations
	for _, name := range comparedClaims {
		if name == "actor" && proved["attempt"] != "" && proved["attempt"] != "1" {
			continue // who started a run again need not be who started it first
		}
		claim, proof := claims[name], proved[name]
		if claim != "" && proof != "" && !strings.EqualFold(claim, proof) {
			vs = append(vs, lb.Violation{Pointer: "/" + name, Detail: fmt.Sprintf("is claimed to be %s, but the token says %s", Recordable(claim, 64), Recordable(proof, 64))})
		}
	}
	if len(vs) > 0 {
		return refuseFields(CodeRunContradicts, "the run claims what its token denies", vs)
	}
	return nil
}

// checkVerified refuses a call in another run than the one that the caller's
// credential was made for.
func checkVerified(call Call) error {
	v := call.Actor.Verified
	if v == nil || v.Run.ID == "" || call.Run == "" || v.Run.ID == call.Run {
		return nil
	}
	return refuse(CodeRunContradicts, "the token was made for run %s, but the call says that it belongs to run %s", v.Run.ID, call.Run)
}

// checkProof refuses a caller who proves to be a run by another provider's word
// than the one that proved it before: ids of two systems may be the same.
func checkProof(call Call, id string, proof *RunProof) error {
	if proof == nil || !call.runVerified() {
		return nil
	}
	if v := call.Actor.Verified; v.Provider != proof.Provider || v.Issuer != proof.Issuer {
		return refuse(CodeRunContradicts, "run %s was proved by %s (%s), and not by %s", id, proof.Provider, proof.Issuer, v.Provider)
	}
	return nil
}

// checkRun holds the run that a call names to its credential, and to those that
// are registered.
func (b *batch) checkRun(call Call) error {
	if call.Run == "" {
		return nil
	}
	if err := checkVerified(call); err != nil {
		return err
	}
	var run Run
	revision, err := b.state(runPrefix+"/"+call.Run, &run)
	if err != nil {
		return err
	}
	if call.runVerified() {
		return checkProof(call, call.Run, run.Proof)
	}
	if revision == 0 {
		return refuse(CodeRunUnknown, "run %.200q is not registered; register it with PUT /v1/runs/{id} first", call.Run)
	}
	return nil
}
