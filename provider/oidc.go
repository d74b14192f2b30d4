package provider

import (
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// credential is what calls are made with: a token, or else a login with an ID
// token. The zero value is neither.
type credential struct {
	token api.Secret
	login client.TokenSource
	// source says in words where the ID token comes from, and audience for whom
	// it is to be made.
	source, audience string
}

// credential finds what the settings or the environment offer, in this order: a
// token, an ID token that is declared, that of the CI.
func (s settings) credential(env environment) credential {
	if token := s.token(env); token != "" {
		return credential{token: token}
	}
	audience := s.get(env, "oidc_audience")
	if audience == "" {
		audience = client.Audience(s.get(env, "endpoint"))
	}
	if s.OIDC != nil && s.OIDC.TokenFile.ValueString() != "" {
		file := s.OIDC.TokenFile.ValueString()
		return credential{login: client.File(file), source: "the file " + file, audience: audience}
	}
	login, source, ok := client.Detect(env, audience)
	if !ok {
		return credential{}
	}
	return credential{login: login, source: source, audience: audience}
}

// logFields say which credential it is, and nothing of what is in it.
func (c credential) logFields() map[string]any {
	if c.login == nil {
		return map[string]any{"credential": "token"}
	}
	return map[string]any{"credential": "ID token", "source": c.source, "audience": c.audience}
}

// idTokenOf says how a job in a CI comes by an ID token.
var idTokenOf = map[string]string{
	"github":        "In GitHub Actions, give the job the permission `id-token: write`.",
	"gitlab":        "In GitLab, give the job `id_tokens` with one called " + client.EnvIDToken + ".",
	"hcp_terraform": "In HCP Terraform, set TFC_WORKLOAD_IDENTITY_AUDIENCE_AUDITLB on the workspace.",
	"spacelift":     "In Spacelift, tokens are part of its paid plans.",
	"bitbucket":     "In Bitbucket, give the step `oidc: true`.",
	"circleci":      "In CircleCI, every job has one, made for the organization's id: set audience in the provider's oidc block to that.",
	"buildkite":     "In Buildkite, have buildkite-agent in the PATH.",
}

// loginHint says what would do in place of a token.
func loginHint(env environment) string {
	hint := fmt.Sprintf("Or log in with an ID token of an identity provider that the runtime trusts: one that the CI offers, or one in %s or in the file that %s names.", client.EnvIDToken, client.EnvIDTokenFile)
	if ci, ok := detectCI(env); ok && idTokenOf[ci.Claims.System] != "" {
		hint += " " + idTokenOf[ci.Claims.System]
	}
	return hint
}

// addLoginError says why no session could be had, and what would help.
func addLoginError(diags *diag.Diagnostics, endpoint string, used credential, err error) {
	at := path.Root("oidc")
	token := fmt.Sprintf("the ID token from %s for the audience %q", used.source, used.audience)
	audienceSetting := fmt.Sprintf("audience in the oidc block (or %s)", envName("oidc_audience"))
	var problem *api.Problem
	switch {
	case errors.Is(err, client.ErrAudience):
		diags.AddAttributeError(at, "The ID token is for somebody else",
			fmt.Sprintf("Logging in to %s takes %s: %s. Have a token made for that audience and put it into %s; or, if the runtime trusts tokens for the other one, set %s to it.",
				endpoint, token, err, client.EnvIDToken, audienceSetting))
	case errors.Is(err, client.ErrIDToken):
		diags.AddAttributeError(at, "There is no ID token to log in with",
			fmt.Sprintf("Logging in to %s takes %s: %s. Check that the job may have tokens and that its source works, or set token (%s) in its place.",
				endpoint, token, err, envName("token")))
	case !errors.As(err, &problem):
		addCallError(diags, "Can't log in at "+endpoint, err)
	case problem.Code == api.CodeUnauthenticated:
		diags.AddAttributeError(at, "The ID token was refused",
			fmt.Sprintf("%s doesn't accept %s: %s. Check that the runtime trusts the token's issuer, that it expects this audience of it and otherwise set %s, and that the token has not ended.",
				endpoint, token, err, audienceSetting))
	case problem.Code == api.CodeRole:
		diags.AddAttributeError(at, "The ID token maps to no role",
			fmt.Sprintf("%s accepts %s, but lets nobody in with it: %s. Have a role mapped to it in the runtime's configuration. A token made for the plan of a run can't be used to apply.",
				endpoint, token, err))
	case problem.Code == api.CodeNotFound:
		diags.AddAttributeError(at, "The runtime knows no logins",
			fmt.Sprintf("%s takes no ID tokens such as %s: %s. Configure an identity provider there, in a version that has them, or set token (%s).",
				endpoint, token, err, envName("token")))
	default:
		diags.AddAttributeError(at, "The ID token could not be checked",
			fmt.Sprintf("%s could not log anybody in with %s: %s. Check that the runtime reaches the token's issuer. It is safe to run Terraform again.",
				endpoint, token, err))
	}
}
