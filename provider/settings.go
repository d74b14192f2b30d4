package provider

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// settings is the provider block. Each setting that it leaves out comes from
// the environment, see [envName].
type settings struct {
	Endpoint      types.String  `tfsdk:"endpoint"`
	Token         types.String  `tfsdk:"token"`
	ChangeTicket  types.String  `tfsdk:"change_ticket"`
	CACertPEM     types.String  `tfsdk:"ca_cert_pem"`
	ClientCertPEM types.String  `tfsdk:"client_cert_pem"`
	ClientKeyPEM  types.String  `tfsdk:"client_key_pem"`
	LogPublicKey  types.String  `tfsdk:"log_public_key"`
	InsecureHTTP  types.Bool    `tfsdk:"insecure_http"`
	OIDC          *oidcSettings `tfsdk:"oidc"`
	Run           *runSettings  `tfsdk:"run"`
}

// oidcSettings is the oidc block.
type oidcSettings struct {
	Audience  types.String `tfsdk:"audience"`
	TokenFile types.String `tfsdk:"token_file"`
}

// runSettings is the run block.
type runSettings struct {
	ID         types.String `tfsdk:"id"`
	System     types.String `tfsdk:"system"`
	URL        types.String `tfsdk:"url"`
	Repository types.String `tfsdk:"repository"`
	Commit     types.String `tfsdk:"commit"`
	Attempt    types.String `tfsdk:"attempt"`
	Actor      types.String `tfsdk:"actor"`
	Workspace  types.String `tfsdk:"workspace"`
	Phase      types.String `tfsdk:"phase"`
}

// envName is the environment variable of a setting: AUDITLB_CHANGE_TICKET for
// change_ticket, AUDITLB_RUN_ID for id in the run block. Token_file in the oidc
// block is id_token_file, which the command line has too.
func envName(setting string) string { return "AUDITLB_" + strings.ToUpper(setting) }

func settingsSchema() schema.Schema {
	text := func(setting, description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description + " Environment: `" + envName(setting) + "`."}
	}
	token := text("token", "Bearer token, made with `auditlb token create`. A token of role `planner` can plan, one of role `operator` can apply. Required where neither an ID token is at hand, see `oidc`, nor a client certificate, see `client_cert_pem`; used in place of both.")
	token.Sensitive = true
	clientKey := text("client_key_pem", "Private key of `client_cert_pem`, in PEM and not encrypted. In the environment, or in an ephemeral variable, it reaches neither state nor plan files.")
	clientKey.Sensitive = true
	return schema.Schema{
		MarkdownDescription: "Declares the configuration of an auditlb load balancer. Each change is made under a change ticket, belongs to a run, and leaves an entry in a log that can't be rewritten unseen.",
		Attributes: map[string]schema.Attribute{
			"endpoint":        text("endpoint", "Base URL of the management API, such as `https://lb.example.com:8443`. Required."),
			"token":           token,
			"change_ticket":   text("change_ticket", "Id of the change ticket under which changes are made, such as `CHG-1042`. Planning needs none; applying does."),
			"ca_cert_pem":     text("ca_cert_pem", "Authorities that may vouch for the endpoint, in PEM, in place of the system's."),
			"client_cert_pem": text("client_cert_pem", "Client certificate, in PEM, with the chain up to an authority that the runtime trusts, which maps it to an actor. Takes `client_key_pem` too. It speaks for the caller where there is no `token`, no `oidc` block that finds an ID token, and neither `"+client.EnvIDToken+"` nor `"+client.EnvIDTokenFile+"`; it goes before a token that the CI offers."),
			"client_key_pem":  clientKey,
			"log_public_key":  text("log_public_key", "Public key of the change log, as `auditlb checkpoint --key` and the file `log.pub` of the runtime have it. The log must be signed by it, or by a key that it vouches for. Without it the key that was seen first is held to. Setting it to the key of a log that was restarted accepts the restart."),
			"insecure_http": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether `http://` endpoints are allowed that aren't on this machine. The token then crosses the network in clear text. Default: `false`. Environment: `" + envName("insecure_http") + "`.",
			},
		},
		Blocks: map[string]schema.Block{
			"oidc": schema.SingleNestedBlock{
				MarkdownDescription: "Logging in with an ID token (OpenID Connect) in place of `token`, at a runtime that trusts the token's issuer. Needed only to set what is below: a token is found in the environment variable `" + client.EnvIDToken + "`, which in GitLab is the name to give it in `id_tokens`, or else in HCP Terraform, GitHub Actions (with the permission `id-token: write`), Bitbucket, CircleCI, Buildkite and Spacelift. It is exchanged for a session that ends soon and is renewed as long as tokens can be had.",
				Attributes: map[string]schema.Attribute{
					"audience":   text("oidc_audience", "For whom the token is made. GitHub Actions and Buildkite are asked for this audience; elsewhere the job's configuration sets it, and a token that the CI offers for all purposes is sent only if it was made for this one. Default: the origin of `endpoint`, such as `https://lb.example.com:8443`."),
					"token_file": text("id_token_file", "File to read the token from each time that one is needed, such as a projected token of a Kubernetes service account. Wins over `"+client.EnvIDToken+"`, which wins over its own environment variable."),
				},
			},
			"run": schema.SingleNestedBlock{
				MarkdownDescription: "Which run of Terraform this is. Needed only where the CI's environment doesn't tell: it is recognized in HCP Terraform, GitHub Actions, GitLab, Jenkins, Azure DevOps, CircleCI, Buildkite, Bitbucket, Atlantis, Spacelift, env0 and Scalr. What is set here wins.",
				Attributes: map[string]schema.Attribute{
					"id":         text("run_id", fmt.Sprintf("What tells this run from all others: 1 to %d printable characters without spaces. Plan and apply are one run when they have the same id.", api.MaxRunIDLength)),
					"system":     text("run_system", "Where the run executes."),
					"url":        text("run_url", "Leads to the run. User and password in it are left out."),
					"repository": text("run_repository", "The repository that the configuration comes from."),
					"commit":     text("run_commit", "The commit of the configuration."),
					"attempt":    text("run_attempt", "Which execution of the same run this is."),
					"actor":      text("run_actor", "Who caused the run."),
					"workspace":  text("run_workspace", "The Terraform workspace."),
					"phase":      text("run_phase", "`plan` or `apply`."),
				},
			},
		},
	}
}

// strings returns the text settings by name, those of the run block as run_…
// and those of the oidc block as oidc_audience and id_token_file.
func (s settings) strings() map[string]types.String {
	all := map[string]types.String{
		"endpoint": s.Endpoint, "token": s.Token, "change_ticket": s.ChangeTicket, "ca_cert_pem": s.CACertPEM,
		"client_cert_pem": s.ClientCertPEM, "client_key_pem": s.ClientKeyPEM, "log_public_key": s.LogPublicKey,
	}
	if o := s.OIDC; o != nil {
		all["oidc_audience"], all["id_token_file"] = o.Audience, o.TokenFile
	}
	if r := s.Run; r != nil {
		for name, value := range map[string]types.String{
			"run_id": r.ID, "run_system": r.System, "run_url": r.URL, "run_repository": r.Repository, "run_commit": r.Commit,
			"run_attempt": r.Attempt, "run_actor": r.Actor, "run_workspace": r.Workspace, "run_phase": r.Phase,
		} {
			all[name] = value
		}
	}
	return all
}

// get returns a setting, from the block or else from the environment.
func (s settings) get(env environment, setting string) string {
	if v, ok := s.strings()[setting]; ok && !v.IsNull() {
		return v.ValueString()
	}
	return env(envName(setting))
}

func (s settings) token(env environment) api.Secret { return api.Secret(s.get(env, "token")) }

// caller is who calls are made as: the bearer of a credential or, where that is
// the zero value, whom a client certificate speaks for.
type caller struct {
	credential
	certPEM string
	keyPEM  api.Secret
}

// caller finds what the settings or the environment offer, in this order: a
// token, an ID token that is asked for, a client certificate, an ID token that the
// CI offers of its own accord. The certificate is there in any case, since an
// endpoint may ask for one along with the token.
func (s settings) caller(env environment) caller {
	c := caller{credential: s.credential(env), certPEM: s.get(env, "client_cert_pem"), keyPEM: api.Secret(s.get(env, "client_key_pem"))}
	if c.certPEM != "" && c.token == "" && !s.asksForLogin(env) {
		c.credential = credential{}
	}
	return c
}

// asksForLogin reports whether an ID token is to be used, as against one that
// happens to be there.
func (s settings) asksForLogin(env environment) bool {
	_, _, handedOver := client.HandedOver(env)
	return s.OIDC != nil || handedOver
}

// byCertificate reports whether the client certificate is all that there is.
func (c caller) byCertificate() bool { return c.certPEM != "" && c.token == "" && c.login == nil }

// logFields say which credential it is, and nothing of what is in it.
func (c caller) logFields() map[string]any {
	if c.byCertificate() {
		return map[string]any{"credential": "client certificate"}
	}
	return c.credential.logFields()
}

// insecureHTTP returns the setting of that name.
func (s settings) insecureHTTP(env environment, diags *diag.Diagnostics) bool {
	if !s.InsecureHTTP.IsNull() {
		return s.InsecureHTTP.ValueBool()
	}
	text := env(envName("insecure_http"))
	if text == "" {
		return false
	}
	allowed, err := strconv.ParseBool(text)
	if err != nil {
		diags.AddAttributeError(path.Root("insecure_http"), "Invalid "+envName("insecure_http"), fmt.Sprintf("%.40q must be true or false.", text))
	}
	return allowed
}

// run returns what is declared of the run.
func (s settings) run(env environment) runIdentity {
	get := func(name string) string { return s.get(env, "run_"+name) }
	return runIdentity{ID: get("id"), Claims: api.RunClaims{
		System: get("system"), URL: get("url"), Repository: get("repository"), Commit: get("commit"),
		Attempt: get("attempt"), Actor: get("actor"), Workspace: get("workspace"), Phase: get("phase"),
	}}
}

// checkKnown refuses settings that come from something not yet applied: there
// is no client to plan with then.
func (s settings) checkKnown(diags *diag.Diagnostics) {
	all := s.strings()
	var unknown []string
	for name, value := range all {
		if value.IsUnknown() {
			unknown = append(unknown, name)
		}
	}
	if s.InsecureHTTP.IsUnknown() {
		unknown = append(unknown, "insecure_http")
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		diags.AddAttributeError(settingPath(name), "A provider setting isn't known yet",
			fmt.Sprintf("Its value comes from something that has yet to be applied, but planning needs it. Give it a value that is known from the start, such as a variable or %s, or apply its source first with -target.", envName(name)))
	}
}

// settingPath is where a setting stands in the provider block.
func settingPath(name string) path.Path {
	if inRun, ok := strings.CutPrefix(name, "run_"); ok {
		return path.Root("run").AtName(inRun)
	}
	switch name {
	case "oidc_audience":
		return path.Root("oidc").AtName("audience")
	case "id_token_file":
		return path.Root("oidc").AtName("token_file")
	}
	return path.Root(name)
}
