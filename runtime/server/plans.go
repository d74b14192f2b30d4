package server

import (
	"fmt"
	"slices"
	"strings"

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
	c.subject = control.Subject{Op: "plan"}
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
	if req.Object != nil {
		obj, err := lb.Decode(req.Kind, req.Object)
		if err := s.asRefusal(c, below("/object", err)); err != nil {
			return nil, err
		}
		plan.Object = obj
	}
	who, err := c.control()
	if err != nil {
		return nil, err
	}
	outcome, err := s.Controller.Plan(c.Context(), who, plan)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
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
		Patch: patch, Warnings: warnings,
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
	for i, pointer := range req.Unknown {
		if !strings.HasPrefix(pointer, "/") || len(pointer) > maxPointerLength {
			add(fmt.Sprintf("/unknown/%d", i), "must be a JSON pointer into the object")
		}
	}
	return vs
}

// below moves the violations of a part of the body to where it stands.
func below(prefix string, err error) error {
	vs, ok := err.(lb.Violations) //nolint:errorlint // lb returns them unwrapped
	if !ok {
		return err
	}
	out := make(lb.Violations, len(vs))
	for i, v := range vs {
		out[i] = lb.Violation{Pointer: prefix + v.Pointer, Detail: v.Detail}
	}
	return out
}
