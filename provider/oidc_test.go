package provider

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// idTokenFor returns an unsigned ID token that ended in 2025.
func idTokenFor(audience string) string {
	part := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":"https://ci.example.com","sub":"repo:acme/edge","aud":%q,"exp":1741064400}`, audience)
	return part([]byte(`{"alg":"ES256"}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature"))
}

// loginAPI opens sessions, or refuses to, and takes every run from who has one.
type loginAPI struct {
	refusal *api.Problem
	// tokens and bearers are what came in: bodies of logins, and what all other
	// calls carried.
	tokens, bearers []string
}

func (a *loginAPI) serve(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if !strings.HasSuffix(req.URL.Path, "/v1/sessions") {
			a.bearers = append(a.bearers, req.Header.Get("Authorization"))
			io.WriteString(w, `{}`)
			return
		}
		a.tokens = append(a.tokens, string(body))
		if p := a.refusal; p != nil {
			w.Header().Set("Content-Type", api.ContentProblem)
			w.WriteHeader(p.Status)
			fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":%q,"request_id":"req-7"}`, p.Status, p.Code, p.Detail)
			return
		}
		fmt.Fprintf(w, `{"secret":"secret-of-the-session","expires_at":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// configure configures the provider with settings by name, those of the oidc
// block as oidc.audience and oidc.token_file, and returns what it logged.
func configure(t *testing.T, env, set map[string]string) (diag.Diagnostics, string) {
	t.Helper()
	var log bytes.Buffer
	ctx := tflogtest.RootLogger(context.Background(), &log)
	p := &auditlbProvider{version: "test", env: envOf(env)}
	all := settingsSchema()
	object := all.Type().TerraformType(ctx).(tftypes.Object)
	values := map[string]tftypes.Value{}
	for name, typ := range object.AttributeTypes {
		values[name] = tftypes.NewValue(typ, nil)
	}
	oidc := map[string]tftypes.Value{"audience": tftypes.NewValue(tftypes.String, nil), "token_file": tftypes.NewValue(tftypes.String, nil)}
	for name, value := range set {
		if inBlock, ok := strings.CutPrefix(name, "oidc."); ok {
			oidc[inBlock] = tftypes.NewValue(tftypes.String, value)
			values["oidc"] = tftypes.NewValue(object.AttributeTypes["oidc"], oidc)
			continue
		}
		values[name] = tftypes.NewValue(tftypes.String, value)
	}
	var resp provider.ConfigureResponse
	p.Configure(ctx, provider.ConfigureRequest{
		TerraformVersion: "1.11.4", Config: tfsdk.Config{Schema: all, Raw: tftypes.NewValue(object, values)},
	}, &resp)
	return resp.Diagnostics, log.String()
}

// noTokenIn fails when a text shows an ID token or a session.
func noTokenIn(t *testing.T, text string) {
	t.Helper()
	for _, secret := range append(strings.Split(idTokenFor("x"), ".")[:1], "secret-of-", base64.RawURLEncoding.EncodeToString([]byte("signature"))) {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows in %s", secret, text)
		}
	}
}

func TestCallsAreMadeWithTheFirstCredentialThereIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(idTokenFor("of-a-file")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hcp := map[string]string{"TFC_RUN_ID": "run-1", "TFC_WORKLOAD_IDENTITY_TOKEN_AUDITLB": idTokenFor("of-the-ci")}
	with := func(more ...string) map[string]string {
		env := map[string]string{}
		for name, value := range hcp {
			env[name] = value
		}
		for i := 0; i < len(more); i += 2 {
			env[more[i]] = more[i+1]
		}
		return env
	}
	for name, tc := range map[string]struct {
		env, set map[string]string
		// token is the audience of the ID token that is exchanged, if one is.
		token string
		// logged is what the log says of the credential.
		logged string
	}{
		"a token":                 {with("AUDITLB_ID_TOKEN", idTokenFor("x")), map[string]string{"token": "alb_1", "oidc.audience": "a"}, "", `"credential":"token"`},
		"a token of the env":      {with("AUDITLB_TOKEN", "alb_1"), map[string]string{"oidc.token_file": file}, "", `"credential":"token"`},
		"a file that is declared": {with("AUDITLB_ID_TOKEN", idTokenFor("x")), map[string]string{"oidc.token_file": file}, "of-a-file", `"source":"the file ` + file + `"`},
		"an ID token of the env":  {with("AUDITLB_ID_TOKEN", idTokenFor("of-the-env")), nil, "of-the-env", `"source":"AUDITLB_ID_TOKEN"`},
		"a file of the env":       {with("AUDITLB_ID_TOKEN_FILE", file), nil, "of-a-file", `(AUDITLB_ID_TOKEN_FILE)`},
		"the CI's":                {hcp, nil, "of-the-ci", `"source":"HCP Terraform (TFC_WORKLOAD_IDENTITY_TOKEN_AUDITLB)"`},
		"the CI's with an empty":  {hcp, map[string]string{"token": "", "oidc.token_file": ""}, "of-the-ci", `"source":"HCP Terraform`},
	} {
		t.Run(name, func(t *testing.T) {
			a := &loginAPI{}
			set := map[string]string{"endpoint": a.serve(t)}
			for name, value := range tc.set {
				set[name] = value
			}
			diags, log := configure(t, tc.env, set)
			if diags.HasError() {
				t.Fatal(diags)
			}
			want := "Bearer alb_1"
			if tc.token != "" {
				want = "Bearer secret-of-the-session"
				if len(a.tokens) != 1 || !strings.Contains(a.tokens[0], idTokenFor(tc.token)) {
					t.Errorf("logged in with %q, want once with the one %s", a.tokens, tc.token)
				}
			} else if len(a.tokens) != 0 {
				t.Errorf("logged in with %q", a.tokens)
			}
			if len(a.bearers) == 0 || a.bearers[0] != want {
				t.Errorf("calls carried %q, want %q", a.bearers, want)
			}
			if !strings.Contains(log, tc.logged) {
				t.Errorf("the log does not say %s: %s", tc.logged, log)
			}
			noTokenIn(t, log)
		})
	}
}

func TestTheAudienceIsTheSettingOrElseTheEndpoints(t *testing.T) {
	for name, tc := range map[string]struct {
		env, set map[string]string
		want     func(endpoint string) string
	}{
		"the endpoint's origin": {want: func(endpoint string) string { return endpoint }},
		"the block":             {map[string]string{"AUDITLB_OIDC_AUDIENCE": "b"}, map[string]string{"oidc.audience": "a"}, func(string) string { return "a" }},
		"the environment":       {map[string]string{"AUDITLB_OIDC_AUDIENCE": "b"}, map[string]string{"oidc.token_file": ""}, func(string) string { return "b" }},
	} {
		t.Run(name, func(t *testing.T) {
			a := &loginAPI{}
			endpoint := a.serve(t)
			var asked []string
			github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				asked = append(asked, req.URL.Query().Get("audience"))
				fmt.Fprintf(w, `{"value":%q}`, idTokenFor("x"))
			}))
			defer github.Close()
			env := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL + "/?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret-of-the-job"}
			for name, value := range tc.env {
				env[name] = value
			}
			set := map[string]string{"endpoint": endpoint + "/base/"}
			for name, value := range tc.set {
				set[name] = value
			}
			diags, log := configure(t, env, set)
			if want := tc.want(endpoint); diags.HasError() || len(asked) != 1 || asked[0] != want {
				t.Errorf("GitHub was asked for %q, want once for %q: %v", asked, want, diags)
			}
			noTokenIn(t, log)
		})
	}
}

func TestAFailedLoginSaysWhatToDo(t *testing.T) {
	const source = "AUDITLB_ID_TOKEN"
	ours := map[string]string{source: idTokenFor("https://lb.example.com")}
	for name, tc := range map[string]struct {
		env     map[string]string
		refusal *api.Problem
		summary string
		says    []string
	}{
		"refused": {ours, api.NewProblem(api.CodeUnauthenticated, "no provider has this issuer"), "The ID token was refused", []string{
			source, `the audience "http://127.0.0.1:`, "no provider has this issuer", "unauthenticated", "req-7", "https://ci.example.com", "https://lb.example.com", "it ended at 2025-03-04T05:00:00Z", "trusts the token's issuer", "AUDITLB_OIDC_AUDIENCE",
		}},
		"no role":         {ours, api.NewProblem(api.CodeRole, "nothing matches"), "The ID token maps to no role", []string{source, "nothing matches", "role_insufficient", "req-7", "repo:acme/edge", "made for the plan of a run"}},
		"no logins":       {ours, api.NewProblem(api.CodeNotFound, "no such path"), "The runtime knows no logins", []string{source, "not_found", "AUDITLB_TOKEN"}},
		"could not check": {ours, api.NewProblem(api.CodeInternal, "broken"), "The ID token could not be checked", []string{source, "internal_error", "req-7", "reaches the token's issuer"}},
		"for a cloud":     {map[string]string{"SPACELIFT_OIDC_TOKEN": idTokenFor("acme.app.spacelift.io")}, nil, "The ID token is for somebody else", []string{"Spacelift (SPACELIFT_OIDC_TOKEN)", "acme.app.spacelift.io", "audience in the oidc block"}},
		"no token":        {map[string]string{"AUDITLB_ID_TOKEN_FILE": "/nonexistent/token"}, nil, "There is no ID token to log in with", []string{"/nonexistent/token", "no such file", "AUDITLB_TOKEN"}},
		"not a token":     {map[string]string{source: "signature"}, nil, "There is no ID token to log in with", []string{source, "not a signed JWT"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := &loginAPI{refusal: tc.refusal}
			diags, log := configure(t, tc.env, map[string]string{"endpoint": a.serve(t)})
			if len(diags) != 1 || diags[0].Summary() != tc.summary {
				t.Fatalf("got %v, want %q", diags, tc.summary)
			}
			if at, ok := diags[0].(diag.DiagnosticWithPath); !ok || !at.Path().Equal(path.Root("oidc")) {
				t.Errorf("%v doesn't point at oidc", diags[0])
			}
			for _, want := range tc.says {
				if !strings.Contains(diags[0].Detail(), want) {
					t.Errorf("%s\ndoes not say %s", diags[0].Detail(), want)
				}
			}
			noTokenIn(t, diags[0].Detail()+log)
			if tc.refusal == nil && len(a.tokens) != 0 {
				t.Errorf("a token was sent: %q", a.tokens)
			}
			if len(a.bearers) != 0 {
				t.Errorf("calls were made with %q", a.bearers)
			}
		})
	}
}

func TestWithoutACredentialItIsSaidWhatWouldDo(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"anywhere": {nil, "AUDITLB_ID_TOKEN"},
		"GitHub":   {map[string]string{"GITHUB_RUN_ID": "1"}, "`id-token: write`"},
		"GitLab":   {map[string]string{"CI_PIPELINE_ID": "1"}, "`id_tokens` with one called AUDITLB_ID_TOKEN"},
		"HCP":      {map[string]string{"TFC_RUN_ID": "1"}, "TFC_WORKLOAD_IDENTITY_AUDIENCE_AUDITLB"},
	} {
		t.Run(name, func(t *testing.T) {
			diags, _ := configure(t, tc.env, map[string]string{"endpoint": "https://lb.example.com"})
			if len(diags) != 1 || diags[0].Summary() != "Missing token" || !strings.Contains(diags[0].Detail(), tc.want) || !strings.Contains(diags[0].Detail(), "AUDITLB_TOKEN") {
				t.Errorf("got %v, want a missing token and %q", diags, tc.want)
			}
		})
	}
}

// The runtime compares the run that is claimed with the one that is proved.
func TestTheTokenIsOfTheSystemThatTheRunIsOf(t *testing.T) {
	agent := filepath.Join(t.TempDir(), "buildkite-agent")
	if err := os.WriteFile(agent, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(agent))
	systems := map[string]struct {
		name string
		env  map[string]string
	}{
		"spacelift":     {"Spacelift", map[string]string{"TF_VAR_spacelift_run_id": "1", "SPACELIFT_OIDC_TOKEN": "t"}},
		"hcp_terraform": {"HCP Terraform", map[string]string{"TFC_RUN_ID": "1", "TFC_WORKLOAD_IDENTITY_TOKEN": "t"}},
		"github":        {"GitHub Actions", map[string]string{"GITHUB_RUN_ID": "1", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x.example.com", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}},
		"bitbucket":     {"Bitbucket", map[string]string{"BITBUCKET_PIPELINE_UUID": "1", "BITBUCKET_STEP_OIDC_TOKEN": "t"}},
		"circleci":      {"CircleCI", map[string]string{"CIRCLE_WORKFLOW_ID": "1", "CIRCLE_OIDC_TOKEN_V2": "t"}},
		"buildkite":     {"Buildkite", map[string]string{"BUILDKITE_BUILD_ID": "1"}},
	}
	for outer := range systems {
		for inner := range systems {
			env := map[string]string{}
			for _, system := range []string{outer, inner} {
				for name, value := range systems[system].env {
					env[name] = value
				}
			}
			run, _ := detectCI(envOf(env))
			_, source, ok := client.Detect(envOf(env), "a")
			if want := systems[run.Claims.System].name; !ok || want == "" || !strings.HasPrefix(source, want) {
				t.Errorf("%s in %s: the run is of %s, the token of %q", inner, outer, run.Claims.System, source)
			}
		}
	}
}

func TestUnknownSettingsOfALoginArePointedAt(t *testing.T) {
	for name, tc := range map[string]struct {
		oidc     oidcSettings
		variable string
	}{
		"audience":   {oidcSettings{Audience: types.StringUnknown()}, "AUDITLB_OIDC_AUDIENCE"},
		"token_file": {oidcSettings{TokenFile: types.StringUnknown()}, "AUDITLB_ID_TOKEN_FILE"},
	} {
		var diags diag.Diagnostics
		settings{OIDC: &tc.oidc}.checkKnown(&diags)
		at := path.Root("oidc").AtName(name)
		if len(diags) != 1 || !diags[0].(diag.DiagnosticWithPath).Path().Equal(at) || !strings.Contains(diags[0].Detail(), tc.variable) {
			t.Errorf("got %v, want %s at %s", diags, tc.variable, at)
		}
	}
}
