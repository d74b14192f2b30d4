package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// inWorkspace registers a run of a workspace and makes calls in it.
func inWorkspace(t testing.TB, r *rig, workspace string) option {
	t.Helper()
	run := "run-of-" + workspace
	r.must(t, nil, http.MethodPut, "/v1/runs/"+run, api.RunClaims{System: "local", Workspace: workspace})
	return with(api.HeaderRun, run)
}

func (r *rig) drift(t testing.TB, query string, options ...option) api.DriftList {
	t.Helper()
	var list api.DriftList
	r.must(t, &list, http.MethodGet, "/v1/drift?"+query, nil, options...)
	return list
}

// walkDrift sees drift, has it accepted, and withdraws that.
func walkDrift(t *testing.T, r *rig) {
	edge := inWorkspace(t, r, "edge")
	var made, changed api.Object
	r.must(t, &made, http.MethodPut, "/v1/pools/drifting", pool("10.0.0.1:80"), creating, edge)
	if list := r.drift(t, "workspace=edge"); list.Managed != 1 || len(list.Items) != 0 {
		t.Errorf("before anything happened: %+v", list)
	}
	r.must(t, &changed, http.MethodPut, "/v1/pools/drifting", pool("10.0.0.2:80"), updating)
	list := r.drift(t, "workspace=edge&resource=pool/drifting&limit=5", as(identity.Viewer))
	if len(list.Items) != 1 || list.Items[0].Seen != 0 {
		t.Fatalf("drift: %+v", list)
	}
	d := list.Items[0]
	if d.Kind != api.DriftChanged || d.Address != "pool/drifting" || d.Workspace != "edge" || d.Revision != changed.Revision || d.Count != 1 ||
		d.Baseline.Revision != made.Revision || d.Baseline.Actor != "olivia" || d.Baseline.Run != "run-of-edge" || d.Accepted != nil || d.Managers == nil {
		t.Errorf("drift: %+v", d)
	}
	if c := d.Changes[0]; c.Actor != "olivia" || c.Ticket != r.Ticket || !c.OwnTicket || c.Own || c.Workspace != "" || c.Run != "" || c.Via != api.ViaAPI || c.Revision != changed.Revision {
		t.Errorf("change: %+v", c)
	}
	if len(d.Patch) != 1 || d.Patch[0].Path != "/members/m0/address" || string(d.Patch[0].Old) != `"10.0.0.1:80"` {
		t.Errorf("patch: %+v", d.Patch)
	}

	sighting := api.DriftSightingRequest{Address: "pool/drifting", Base: made.Revision}
	var seen, again, none api.DriftSighting
	r.must(t, &seen, http.MethodPost, "/v1/drift/sightings", sighting, edge, as(identity.Viewer))
	r.must(t, &again, http.MethodPost, "/v1/drift/sightings", sighting, edge)
	if seen.Drift == nil || again.Drift == nil || seen.Drift.Seen == 0 || again.Drift.Seen != seen.Drift.Seen || seen.Drift.Kind != d.Kind {
		t.Errorf("seen %+v, then %+v", seen.Drift, again.Drift)
	}
	if list := r.drift(t, "workspace=edge"); list.Items[0].Seen != seen.Drift.Seen {
		t.Errorf("seen in entry %d, listed as seen in %d", seen.Drift.Seen, list.Items[0].Seen)
	}
	sighting.Base = changed.Revision
	if r.must(t, &none, http.MethodPost, "/v1/drift/sightings", sighting, edge); none.Drift != nil {
		t.Errorf("drift where there is none: %+v", none.Drift)
	}

	request := api.DriftAcceptanceRequest{Address: "pool/drifting", Workspace: "edge", Until: time.Now().Add(time.Hour), Reason: "the canary stays", Revision: changed.Revision}
	var accepted, withdrawn api.DriftAcceptance
	r.must(t, &accepted, http.MethodPost, "/v1/drift/acceptances", request)
	if accepted.By != "olivia" || accepted.Kind != api.DriftChanged || accepted.Ticket != r.Ticket || accepted.Seq == 0 || accepted.Withdrawn {
		t.Errorf("accepted: %+v", accepted)
	}
	if list := r.drift(t, "workspace=edge"); len(list.Items) != 0 || list.Accepted != 1 {
		t.Errorf("accepted drift is listed: %+v", list)
	}
	if list := r.drift(t, "workspace=edge&all=true"); len(list.Items) != 1 || list.Accepted != 0 || list.Items[0].Accepted == nil || list.Items[0].Accepted.Reason != request.Reason {
		t.Errorf("all drift: %+v", list)
	}
	request.Withdraw = true
	if r.must(t, &withdrawn, http.MethodPost, "/v1/drift/acceptances", request); !withdrawn.Withdrawn || withdrawn.Seq <= accepted.Seq {
		t.Errorf("withdrawn: %+v", withdrawn)
	}
	if list := r.drift(t, "workspace=edge"); len(list.Items) != 1 {
		t.Errorf("after the withdrawal: %+v", list)
	}
	r.must(t, nil, http.MethodDelete, "/v1/pools/drifting", nil, updating)
}

// TestTheWorkspaceIsThatOfTheRunOrTheOnlyOne, or those there are are named.
func TestTheWorkspaceIsThatOfTheRunOrTheOnlyOne(t *testing.T) {
	r := start(t)
	if list := r.drift(t, ""); list.Workspace != "" || len(list.Workspaces) != 0 {
		t.Errorf("without any run: %+v", list)
	}
	edge := inWorkspace(t, r, "edge")
	if list := r.drift(t, ""); list.Workspace != "edge" {
		t.Errorf("the only one: %+v", list)
	}
	core := inWorkspace(t, r, "core")
	if list := r.drift(t, ""); list.Workspace != "" || !slices.Equal(list.Workspaces, []string{"core", "edge"}) {
		t.Errorf("of two: %+v", list)
	}
	for workspace, run := range map[string]option{"edge": edge, "core": core} {
		if list := r.drift(t, "", run); list.Workspace != workspace {
			t.Errorf("in a run of %s: %+v", workspace, list)
		}
	}
	if list := r.drift(t, "workspace=typo"); list.Managed != 0 || len(list.Workspaces) != 2 {
		t.Errorf("of a workspace that is none: %+v", list)
	}
}

// TestDriftComesInPages by address, each once.
func TestDriftComesInPages(t *testing.T) {
	r := start(t)
	edge := inWorkspace(t, r, "edge")
	want := []string{}
	for i := range 7 {
		path := fmt.Sprintf("/v1/pools/p%d", i)
		r.must(t, nil, http.MethodPut, path, pool(), creating, edge)
		if i != 3 {
			r.must(t, nil, http.MethodPut, path, pool("10.0.0.1:80"), updating)
			want = append(want, fmt.Sprintf("pool/p%d", i))
		}
	}
	var got []string
	for cursor, pages := "", 0; ; pages++ {
		list := r.drift(t, "workspace=edge&limit=2&cursor="+cursor)
		for _, d := range list.Items {
			got = append(got, d.Address)
		}
		if cursor = list.Next; cursor == "" {
			break
		}
		if len(list.Items) != 2 || pages > 5 {
			t.Fatalf("page %d: %+v", pages, list)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, query := range []string{"all=maybe", "resource=web", "limit=0", "limit=x"} {
		if a := r.do(t, http.MethodGet, "/v1/drift?workspace=edge&"+query, nil); a.problem.Code != api.CodeMalformed {
			t.Errorf("%s: %s", query, a)
		}
	}
}

// TestSightingsThatCanNotBeAreRefused, and recorded.
func TestSightingsThatCanNotBeAreRefused(t *testing.T) {
	r := start(t)
	edge := inWorkspace(t, r, "edge")
	revision := r.create(t, "pool/web", pool())
	for _, tt := range []struct {
		name, body string
		run        option
		want       api.Code
	}{
		{"no address", `{"base":1}`, edge, api.CodeInvalid},
		{"an address that is none", `{"address":"web","base":1}`, edge, api.CodeInvalid},
		{"no base", `{"address":"pool/web"}`, edge, api.CodeInvalid},
		{"a base that is an import", `{"address":"pool/web","base":1,"imported":true}`, edge, api.CodeInvalid},
		{"a base below zero", `{"address":"pool/web","base":-1}`, edge, api.CodeInvalid},
		{"another object's revision", fmt.Sprintf(`{"address":"pool/api","base":%d}`, revision), edge, api.CodeInvalid},
		{"no revision at all", `{"address":"pool/web","base":2}`, edge, api.CodeInvalid},
		{"an import of nothing", `{"address":"pool/api","imported":true}`, edge, api.CodeInvalid},
		{"no run", fmt.Sprintf(`{"address":"pool/web","base":%d}`, revision), with("X"), api.CodeRunUnknown},
		{"a run that nobody registered", fmt.Sprintf(`{"address":"pool/web","base":%d}`, revision), with(api.HeaderRun, "run-404"), api.CodeRunUnknown},
		{"more than there is", `{"address":"pool/web","base":1,"workspace":"core"}`, edge, api.CodeInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			last := r.newest(t).Seq
			a := r.do(t, http.MethodPost, "/v1/drift/sightings", tt.body, tt.run)
			if a.problem.Code != tt.want {
				t.Fatalf("%s, want %s", a, tt.want)
			}
			checkRefusal(t, r.newest(t), a, last+1, "olivia")
		})
	}
}

// TestDriftIsAcceptedWithinAScope and by whoever may change the object.
func TestDriftIsAcceptedWithinAScope(t *testing.T) {
	r := start(t)
	edge := inWorkspace(t, r, "edge")
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool(), creating, edge)
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool("10.0.0.1:80"), updating)
	request := api.DriftAcceptanceRequest{Address: "pool/web", Workspace: "edge", Until: time.Now().Add(time.Hour), Reason: "it stays"}
	outOfScope(t, r, "sam", http.MethodPost, "/v1/drift/acceptances", request, bearer(r.Token(t, "sam", identity.Operator, "pool/shop-*")))
	a := r.do(t, http.MethodPost, "/v1/drift/acceptances", request, with(api.HeaderTicket))
	if a.problem.Code != api.CodeTicketRequired {
		t.Errorf("without a ticket: %s", a)
	}
	request.Workspace = strings.Repeat("x", api.MaxRunClaimLength+1)
	if a := r.do(t, http.MethodPost, "/v1/drift/acceptances", request); a.problem.Code != api.CodeInvalid {
		t.Errorf("an overlong workspace: %s", a)
	}
	if list := r.drift(t, "workspace=edge"); len(list.Items) != 1 {
		t.Errorf("it was accepted: %+v", list)
	}
}
