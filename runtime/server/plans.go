package server

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	maxUnknown       = 1000
	maxPointerLength = 1024
)

func (s *server) plan(c *call) (*answer, error) {
	if err := s.require(c, identity.Plan); err != nil {
		return nil, err
	}
	var req api.PlanRequest
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	plan := control.Plan{Address: lb.Address{Kind: req.Kind, Name: req.Name}, Op: req.Op, Unknown: req.Unknown}
	c.subject = control.Subject{Resource: bounded(plan.Address.String(), 128), Op: bounded(string(req.Op), 16)}
	if err := s.asRefusal(c, checkPlan(req).Err()); err != nil {
		return nil, err
	}
	if err := s.requireOn(c, identity.Plan, plan.Address); err != nil {
		return nil, err
	}
	if req.Object != nil {
		obj, err := lb.Decode(req.Kind, req.Object)
		var violations lb.Violations
		if errors.As(err, &violations) {
			err = inObject(violations)
		}
		if err := s.asRefusal(c, err); err != nil {
			return nil, err
		}
		plan.Object = obj
		if err := s.asRefusal(c, checkUnknown(req).Err()); err != nil {
			return nil, err
		}
	}
	who := c.control()
	outcome, err := s.Controller.Plan(c.Context(), who, plan)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		p := problemOf(&outcome)
		p.Violations = inObject(p.Violations)
		return nil, p
	}
	patch, err := lb.Diff(outcome.Body.Before, outcome.Body.After)
	if err != nil {
		return nil, err
	}
	warnings := outcome.Body.Warnings
	if warnings == nil {
		warnings = []string{}
	}
	return ok(api.Plan{
		Seq: outcome.Entry.Seq, Op: lb.Op(outcome.Entry.Op), EffectDigest: outcome.Entry.EffectDigest,
		Base: outcome.Entry.Base, Patch: patch, Warnings: warnings, Repeated: outcome.Unchanged,
	})
}

func checkPlan(req api.PlanRequest) lb.Violations {
	var vs lb.Violations
	add := func(pointer, detail string) { vs = append(vs, lb.Violation{Pointer: pointer, Detail: detail}) }
	if !req.Kind.Valid() {
		add("/kind", fmt.Sprintf("%.32q is not a kind of object", string(req.Kind)))
	}
	if msg := lb.CheckName(req.Name); msg != "" {
		add("/name", msg)
	}
	if !slices.Contains(lb.Ops, req.Op) {
		add("/op", fmt.Sprintf("%.32q must be one of create, update and delete", string(req.Op)))
	}
	if (req.Op == lb.OpDelete) != (req.Object == nil) {
		add("/object", "is required to create or update, and left out to delete")
	}
	if len(req.Unknown) > maxUnknown {
		add("/unknown", fmt.Sprintf("has %d pointers; at most %d are allowed", len(req.Unknown), maxUnknown))
	}
	for i, pointer := range req.Unknown[:min(len(req.Unknown), maxUnknown)] {
		if !jsontext.Pointer(pointer).IsValid() || pointer == "" || len(pointer) > maxPointerLength || bounded(pointer, maxPointerLength) != pointer {
			add(fmt.Sprintf("/unknown/%d", i), "must be a JSON pointer into the object")
		}
	}
	return vs
}

// checkUnknown holds the unknown pointers to what is left out of the object: a
// value that is there would go unvalidated.
func checkUnknown(req api.PlanRequest) lb.Violations {
	var object any
	if err := json.Unmarshal(req.Object, &object); err != nil {
		return lb.Violations{{Pointer: "/object", Detail: "is not valid JSON"}}
	}
	var vs lb.Violations
	for i, pointer := range req.Unknown {
		in := object
		for token := range jsontext.Pointer(pointer).Tokens() {
			members, ok := in.(map[string]any)
			if !ok && in != nil {
				break
			}
			in = members[token]
		}
		if in != nil && len(vs) < lb.MaxViolations {
			vs = append(vs, lb.Violation{Pointer: fmt.Sprintf("/unknown/%d", i), Detail: "points at a value that the object has; leave out what is not known"})
		}
	}
	return vs
}

// inObject moves violations of an object to where it stands in the body.
func inObject(vs lb.Violations) lb.Violations {
	out := make(lb.Violations, len(vs))
	for i, v := range vs {
		out[i] = lb.Violation{Pointer: "/object" + v.Pointer, Detail: v.Detail}
	}
	return out
}
