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
)

// settings is the provider block. Each setting that it leaves out comes from
// the environment, see [envName].
type settings struct {
	Endpoint     types.String `tfsdk:"endpoint"`
	Token        types.String `tfsdk:"token"`
	ChangeTicket types.String `tfsdk:"change_ticket"`
	CACertPEM    types.String `tfsdk:"ca_cert_pem"`
	InsecureHTTP types.Bool   `tfsdk:"insecure_http"`
	Run          *runSettings `tfsdk:"run"`
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
// change_ticket, AUDITLB_RUN_ID for id in the run block.
func envName(setting string) string { return "AUDITLB_" + strings.ToUpper(setting) }

func settingsSchema() schema.Schema {
	text := func(setting, description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description + " Environment: `" + envName(setting) + "`."}
	}
	token := text("token", "Bearer token, made with `auditlb token create`. A token of role `planner` can plan, one of role `operator` can apply. Required.")
	token.Sensitive = true
	return schema.Schema{
		MarkdownDescription: "Declares the configuration of an auditlb load balancer. Each change is made under a change ticket, belongs to a run, and leaves an entry in a log that can't be rewritten unseen.",
		Attributes: map[string]schema.Attribute{
			"endpoint":      text("endpoint", "Base URL of the management API, such as `https://lb.example.com:8443`. Required."),
			"token":         token,
			"change_ticket": text("change_ticket", "Id of the change ticket under which changes are made, such as `CHG-1042`. Planning needs none; applying does."),
			"ca_cert_pem":   text("ca_cert_pem", "Authorities that may vouch for the endpoint, in PEM, in place of the system's."),
			"insecure_http": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Whether `http://` endpoints are allowed that aren't on this machine. The token then crosses the network in clear text. Default: `false`. Environment: `" + envName("insecure_http") + "`.",
			},
		},
		Blocks: map[string]schema.Block{
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

// strings returns the text settings by name, those of the run block as run_….
func (s settings) strings() map[string]types.String {
	all := map[string]types.String{
		"endpoint": s.Endpoint, "token": s.Token, "change_ticket": s.ChangeTicket, "ca_cert_pem": s.CACertPEM,
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
		at := path.Root(name)
		if inRun, ok := strings.CutPrefix(name, "run_"); ok {
			at = path.Root("run").AtName(inRun)
		}
		diags.AddAttributeError(at, "A provider setting isn't known yet",
			fmt.Sprintf("Its value comes from something that has yet to be applied, but planning needs it. Give it a value that is known from the start, such as a variable or %s, or apply its source first with -target.", envName(name)))
	}
}
