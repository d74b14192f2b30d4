package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
)

func naming(pairs ...string) api.RunAddresses {
	out := api.RunAddresses{Addresses: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Addresses[pairs[i]] = pairs[i+1]
	}
	return out
}

// TestEntriesOfARunShowWhatItCallsItsResources: as soon as it says so, and as it says last.
func TestEntriesOfARunShowWhatItCallsItsResources(t *testing.T) {
	r := start(t)
	planned(t, r, "run", "web", "api")
	planned(t, r, "other", "web")
	shown := func() map[string]string {
		t.Helper()
		out := map[string]string{}
		var list api.EntryList
		r.must(t, &list, http.MethodGet, "/v1/entries?type=plan", nil)
		for _, e := range list.Items {
			out[e.Run.ID+" "+e.Resource] = e.TerraformAddress
			var one api.EntryRecord
			r.must(t, &one, http.MethodGet, fmt.Sprintf("/v1/entries/%d", e.Seq), nil)
			if one.TerraformAddress != e.TerraformAddress {
				t.Errorf("entry %d is %q, and %q in the list", e.Seq, one.TerraformAddress, e.TerraformAddress)
			}
		}
		return out
	}
	want := func(web, api string) {
		t.Helper()
		if got := shown(); got["run pool/web"] != web || got["run pool/api"] != api || got["other pool/web"] != "" || len(got) != 3 {
			t.Errorf("shown as %q", got)
		}
	}
	want("", "")
	var kept, again api.RunAddressesKept
	r.must(t, &kept, http.MethodPut, "/v1/run-addresses/run", naming("pool/web", `module.edge["eu"].auditlb_pool.web`))
	want(`module.edge["eu"].auditlb_pool.web`, "")
	if r.must(t, &again, http.MethodPut, "/v1/run-addresses/run", naming("pool/web", `module.edge["eu"].auditlb_pool.web`)); again.Seq != kept.Seq {
		t.Errorf("saying the same again made entry %d, want %d", again.Seq, kept.Seq)
	}
	entry := r.newest(t)
	if entry.Seq != kept.Seq || entry.Type != "run" || entry.Op != "attach" || entry.Resource != "addresses/run" || entry.Run == nil || entry.Run.ID != "run" {
		t.Errorf("recorded as %+v", entry.Entry)
	}
	r.must(t, &again, http.MethodPut, "/v1/run-addresses/run", naming("pool/api", "auditlb_pool.api"))
	want("", "auditlb_pool.api")
	r.Restart(t)
	r.contract = newContract(t, r.Endpoint, r.CAPEM)
	want("", "auditlb_pool.api")
	// It is nothing that the run is, and no run of its own.
	var runs api.RunList
	if r.must(t, &runs, http.MethodGet, "/v1/runs", nil); len(runs.Items) != 2 {
		t.Errorf("runs: %+v", runs.Items)
	}
}

// TestOnlyWhoSpeaksForARunSaysWhatItsResourcesAreCalled: those who may change what it
// claims.
func TestOnlyWhoSpeaksForARunSaysWhatItsResourcesAreCalled(t *testing.T) {
	issuer := oidctest.Start(t)
	r := start(t, trustGitHub(issuer))
	job := bearer(r.session(t, issuer.Sign(issuer.GitHubClaims(audience))).Secret)
	planned(t, r, "run", "web")
	r.must(t, nil, http.MethodPut, runPath(gitHubRun), `{"system":"github"}`)
	path := func(run string) string { return strings.Replace(runPath(run), "/runs/", "/run-addresses/", 1) }
	body := naming("pool/web", "auditlb_pool.web")
	for _, tt := range []struct {
		name string
		run  string
		who  option
		code api.Code
	}{
		{"who registered it", "run", as(identity.Operator), ""},
		{"another, the same", "run", as(identity.Viewer), ""},
		{"no such run", "none", as(identity.Operator), api.CodeRunUnknown},
		{"a run that nobody proved, by who registered it", gitHubRun, as(identity.Operator), ""},
		{"another run than the token's", "run", job, api.CodeRunContradicts},
	} {
		a := r.do(t, http.MethodPut, path(tt.run), body, tt.who)
		if a.problem.Code != tt.code || tt.code == "" && a.status != http.StatusOK {
			t.Errorf("%s: %s, want %q", tt.name, a, tt.code)
		}
	}
	body = naming("pool/web", "auditlb_pool.mine")
	if a := r.do(t, http.MethodPut, path("run"), body, as(identity.Admin)); a.problem.Code != api.CodePreconditionFailed || r.newest(t).Resource != "addresses/run" {
		t.Errorf("another says something else: %s", a)
	}
	r.must(t, nil, http.MethodPut, path(gitHubRun), body, job)
	r.must(t, nil, http.MethodPut, runPath(gitHubRun), `{"system":"github"}`, job) // proves the run
	if a := r.do(t, http.MethodPut, path(gitHubRun), naming("pool/web", "auditlb_pool.x"), as(identity.Operator)); a.problem.Code != api.CodePreconditionFailed {
		t.Errorf("who only claimed a run that is proved: %s", a)
	}
}

func TestAddressesThatAreNoneAreRefused(t *testing.T) {
	r := start(t)
	planned(t, r, "run")
	many, large := map[string]string{}, map[string]string{}
	for i := range api.MaxRunAddresses + 1 {
		many[fmt.Sprintf("pool/p%d", i)] = "a.b"
	}
	for i := range 1050 {
		large[fmt.Sprintf("pool/p%d", i)] = strings.Repeat("x", api.MaxTerraformAddressLength-20)
	}
	for _, tt := range []struct {
		name, run string
		body      any
		says      string
	}{
		{"none", "run", naming(), "is required"},
		{"nothing", "run", `{}`, "is required"},
		{"no address", "run", naming("web", "auditlb_pool.web"), "addresses such as pool/web"},
		{"no kind", "run", naming("run/web", "auditlb_pool.web"), "addresses such as pool/web"},
		{"empty", "run", naming("pool/web", ""), "must be an address of Terraform's"},
		{"control characters", "run", naming("pool/web", "a\x1b[31mb"), "printable"},
		{"text that runs the other way", "run", naming("pool/web", "a\u202eb"), "printable"},
		{"too long", "run", naming("pool/web", strings.Repeat("x", api.MaxTerraformAddressLength+1)), "1024"},
		{"too many", "run", api.RunAddresses{Addresses: many}, "at most 5000"},
		{"too large", "run", api.RunAddresses{Addresses: large}, "bytes"},
		{"not a map", "run", `{"addresses":["pool/web"]}`, ""},
		{"unknown field", "run", `{"addresses":{"pool/web":"a.b"},"values":{}}`, "values"},
		{"twice", "run", `{"addresses":{"pool/web":"a.b","pool/web":"a.c"}}`, ""},
		{"impossible id", "run%20x", naming("pool/web", "a.b"), "without spaces"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := r.do(t, http.MethodPut, "/v1/run-addresses/"+tt.run, tt.body)
			if a.status/100 != 4 || !strings.Contains(a.problem.Detail, tt.says) {
				t.Errorf("%.300s, want a refusal that says %q", a, tt.says)
			}
			if a.problem.Seq == 0 {
				t.Errorf("not recorded: %.300s", a)
			}
		})
	}
	b, err := json.Marshal(naming("pool/web", r.Tokens[identity.Admin]))
	if err != nil {
		t.Fatal(err)
	}
	if a := r.do(t, http.MethodPut, "/v1/run-addresses/run", string(b)); a.problem.Code != api.CodeInvalid {
		t.Errorf("a token as an address: %s", a)
	}
}
