package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// verifyFile checks a proof or a bundle, with nothing but public keys.
func (c *cli) verifyFile(cmd *cobra.Command, path, keyFile, policyFile string) error {
	trust, err := readTrust(keyFile)
	if err != nil {
		return err
	}
	var policy *witness.Policy
	if policyFile != "" {
		if policy, err = witness.LoadPolicy(policyFile); err != nil {
			return fmt.Errorf("--witness-policy: %w", err)
		}
	}
	result, err := checkFile(path, trust, policy)
	if err != nil {
		return err
	}
	if err := c.print(cmd, result, func(out io.Writer) { printResult(out, &result) }); err != nil {
		return err
	}
	if !result.OK() {
		return errMismatch
	}
	return nil
}

func checkFile(path string, trust *audit.Trust, policy *witness.Policy) (evidence.Result, error) {
	e, err := readEvidence(path)
	if err != nil {
		return evidence.Result{}, err
	}
	if e.bundle != nil {
		return evidence.Check(e.bundle, e.derived, trust, policy), nil
	}
	return evidence.CheckProof(*e.proof, trust, policy), nil
}

// evidenceFile is a bundle, or else one proof.
type evidenceFile struct {
	bundle  *evidence.Bundle
	derived evidence.Derived
	proof   *audit.Proof
}

// checkpoint is the checkpoint that its entries are proved by; nil in a bundle of none.
func (e *evidenceFile) checkpoint() []byte {
	switch {
	case e.proof != nil:
		return e.proof.Checkpoint
	case len(e.bundle.Proofs) > 0:
		return e.bundle.Proofs[0].Checkpoint
	}
	return nil
}

func readEvidence(path string) (*evidenceFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, audit.MaxProofBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if evidence.IsBundle(text) {
		info, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		bundle, derived, err := evidence.Read(f, info.Size())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return &evidenceFile{bundle: bundle, derived: derived}, nil
	}
	proof, err := audit.ParseProof(text)
	if err != nil {
		return nil, fmt.Errorf("%s is neither a proof nor an evidence bundle: %w", path, err)
	}
	return &evidenceFile{proof: &proof}, nil
}

// readTrust reads public keys, one a line.
func readTrust(keyFile string) (*audit.Trust, error) {
	if keyFile == "" {
		return nil, usageError{errors.New("say whom to trust: --public-key FILE with the log's public key, from a place that you trust")}
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	trust, err := audit.NewTrust(strings.Fields(string(text))...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	return trust, nil
}

func printResult(out io.Writer, r *evidence.Result) {
	if !r.OK() {
		fmt.Fprintln(out, "MISMATCH: this is not evidence of what it says")
		for _, f := range r.Findings {
			fmt.Fprintf(out, "  %s\n", f.Error())
		}
		return
	}
	fmt.Fprintln(out, "OK: it holds against the key that was given. Proved:")
	for _, line := range r.Proved {
		fmt.Fprintf(out, "  + %s\n", line)
	}
	fmt.Fprintln(out, "Not proved:")
	for _, line := range r.NotProved {
		fmt.Fprintf(out, "  - %s\n", line)
	}
	fields(out, "origin", r.Origin, "size", fmt.Sprint(r.Size), "root", r.Root)
	for _, cosigned := range r.Cosignatures {
		fields(out, "cosigned by", fmt.Sprintf("%s at %s", cosigned.Witness, at(cosigned.At)))
	}
	if r.Entries == 1 {
		e := r.Records[0].Entry
		fields(out, "entry", fmt.Sprint(e.Seq), "time", at(e.Time), "type", string(e.Type), "resource", e.Resource, "operation", e.Op,
			"outcome", e.Outcome, "actor", e.Actor.Name, "ticket", e.Ticket, "run", e.RunID())
	}
}
