package server

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func (s *server) putRun(c *call) (*answer, error) {
	id := c.PathValue("id")
	if err := s.require(c, identity.RegisterRun); err != nil {
		return nil, err
	}
	var claims api.RunClaims
	if err := s.decode(c, &claims); err != nil {
		return nil, err
	}
	if err := s.asRefusal(c, checkRun(id, &claims).Err()); err != nil {
		return nil, err
	}
	who := c.control()
	who.Run = bounded(id, api.MaxRunIDLength)
	outcome, err := s.Controller.RegisterRun(c.Context(), who, id, claims)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	if !outcome.Unchanged {
		s.failures.leave(c.actor.Name, s.Now())
	}
	return s.getRun(c)
}

// checkRun bounds the id and each claim. They are free text, so control
// characters are refused before they can reach anybody's terminal.
func checkRun(id string, claims *api.RunClaims) lb.Violations {
	vs := checkRunID(id)
	v := reflect.ValueOf(claims).Elem()
	for i := range v.NumField() {
		text := v.Field(i).String()
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch {
		case len(text) > api.MaxRunClaimLength:
			vs = append(vs, lb.Violation{Pointer: "/" + name, Detail: fmt.Sprintf("is %d bytes long; at most %d are allowed", len(text), api.MaxRunClaimLength)})
		case bounded(text, api.MaxRunClaimLength) != text:
			vs = append(vs, lb.Violation{Pointer: "/" + name, Detail: "must not contain control or invisible characters"})
		}
	}
	if claims.System == "" {
		vs = append(vs, lb.Violation{Pointer: "/system", Detail: "is required: where the run executes, such as github or local"})
	}
	return vs
}

func checkRunID(id string) lb.Violations {
	if id == "" || bounded(id, api.MaxRunIDLength) != id || strings.Contains(id, " ") {
		return lb.Violations{{Pointer: "/id", Detail: fmt.Sprintf("the id in the path must be 1 to %d printable bytes without spaces", api.MaxRunIDLength)}}
	}
	return nil
}

func (s *server) getRun(c *call) (*answer, error) {
	held, err := s.Controller.RunByID(c.Context(), c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if held == nil {
		return nil, noRun(c.PathValue("id"))
	}
	run, err := s.run(c.Context(), *held)
	if err != nil {
		return nil, err
	}
	return ok(run)
}

func (s *server) listRuns(c *call) (*answer, error) {
	limit, cursor, err := c.page()
	if err != nil {
		return nil, err
	}
	from, err := before(cursor)
	if err != nil {
		return nil, err
	}
	held, err := s.Controller.Runs(c.Context(), from, limit)
	if err != nil {
		return nil, err
	}
	list := api.RunList{Items: make([]api.Run, 0, len(held))}
	for _, h := range held {
		run, err := s.run(c.Context(), h)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, run)
	}
	if len(held) == limit {
		list.Next = strconv.FormatInt(held[limit-1].Seq, 10)
	}
	return ok(list)
}

func (s *server) run(ctx context.Context, h control.HeldRun) (api.Run, error) {
	run := api.Run{ID: h.ID, RegisteredBy: h.RegisteredBy, FirstSeen: h.FirstSeen, Seq: h.Seq}
	if h.Proof != nil {
		proof := api.RunProof(*h.Proof)
		run.Proof = &proof
	}
	if err := json.Unmarshal(h.Claims, &run.Claims); err != nil {
		return run, fmt.Errorf("claims of run %s: %w", h.ID, err)
	}
	counts, err := s.Log.CountEntries(ctx, h.ID)
	if err != nil {
		return run, err
	}
	for _, n := range counts {
		switch {
		case n.Refused:
			run.Counts.Refused += n.N
		case n.Type == audit.TypePlan:
			run.Counts.Planned += n.N
		case n.Type == audit.TypeApply:
			run.Counts.Applied += n.N
		}
	}
	return run, nil
}
