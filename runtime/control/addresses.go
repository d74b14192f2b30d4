package control

import (
	"bytes"
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const addressesPrefix = "addresses"

// runAddresses is what a run calls its resources, as it is kept.
type runAddresses struct {
	// Addresses are Terraform's, by address.
	Addresses map[string]string `json:"addresses"`
}

// AttachAddresses records what a run calls its resources in its configuration: unverified,
// like its claims, and whoever may change those may say this. Saying the same again is
// Unchanged.
func (c *Controller) AttachAddresses(ctx context.Context, call Call, id string, addresses map[string]string) (Outcome, error) {
	encoded, err := lb.Canonical(runAddresses{addresses})
	if err != nil {
		return Outcome{}, err
	}
	resource := addressesPrefix + "/" + id
	return c.submit(ctx, call, Subject{resource, "attach"}, 2*len(encoded), func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeRun}
		if err := checkVerified(call); err != nil {
			return d, err
		}
		var run Run
		revision, err := b.state(runPrefix+"/"+id, &run)
		if err != nil {
			return d, err
		}
		if revision == 0 {
			return d, refuse(CodeRunUnknown, "run %.200q is not registered; register it with PUT /v1/runs/{id} first", id)
		}
		if err := checkProof(call, id, run.Proof); err != nil {
			return d, err
		}
		var held runAddresses
		if d.base, err = b.state(resource, &held); err != nil {
			return d, err
		}
		if d.base != 0 {
			if d.body.Before, err = lb.Canonical(held); err != nil {
				return d, err
			}
		}
		if bytes.Equal(d.body.Before, encoded) {
			outcome, err := b.outcome(d.base)
			outcome.Unchanged = true
			return draft{existing: &outcome}, err
		}
		if !run.heeds(call) {
			return d, refuse(CodePreconditionFailed, "run %s was registered by %s; only they can say what its resources are called", id, run.RegisteredBy)
		}
		d.body.After = encoded
		return d, nil
	})
}

// AddressesOf returns what a run calls its resources, by address; none when it has not
// said so.
func (c *Controller) AddressesOf(ctx context.Context, id string) (map[string]string, error) {
	current, err := c.opts.Store.Current(ctx, addressesPrefix+"/"+id)
	if err != nil || current == nil || current.State == nil {
		return nil, err
	}
	var held runAddresses
	if err := json.Unmarshal(current.State, &held); err != nil {
		return nil, fmt.Errorf("state of %s: %w", current.Resource, err)
	}
	return held.Addresses, nil
}
