// Package provider is the Terraform provider for auditlb: pools, listeners,
// routes, certificates, freeze windows and policies as resources, the log as data.
package provider

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// Address is where the registry has the provider.
const Address = "registry.terraform.io/auditlb/auditlb"

// typeName is the first part of the names of resources and data sources.
const typeName = "auditlb"

type auditlbProvider struct {
	version string
	env     environment
}

// New returns the provider's factory. Version is what it calls itself.
func New(version string) func() provider.Provider {
	return func() provider.Provider { return &auditlbProvider{version: version, env: os.Getenv} }
}

// Metadata implements [provider.Provider].
func (p *auditlbProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = typeName, p.version
}

// Schema implements [provider.Provider].
func (p *auditlbProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = settingsSchema()
}

// Resources implements [provider.Provider].
func (p *auditlbProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newPoolResource, newListenerResource, newRouteResource, newCertificateResource, newFreezeWindowResource, newPolicyResource, newAuditAnchorResource}
}

// DataSources implements [provider.Provider].
func (p *auditlbProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{newHistoryDataSource, newRunDataSource, newBlameDataSource, newStateAtDataSource, newDriftDataSource, newChangeTicketDataSource, newCheckpointDataSource}
}

// Configure implements [provider.Provider]: it makes the client and registers
// the run, under which the log then keeps what this process plans and applies.
func (p *auditlbProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var declared settings
	resp.Diagnostics.Append(req.Config.Get(ctx, &declared)...)
	if resp.Diagnostics.HasError() {
		return
	}
	declared.checkKnown(&resp.Diagnostics)
	insecureHTTP := declared.insecureHTTP(p.env, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	run, err := detectRun(declared.run(p.env), p.env, currentProcess(ctx))
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("run").AtName("id"), "Invalid run id", fmt.Sprintf("The id of the run (run.id or %s) %s.", envName("run_id"), err))
		return
	}
	run.Claims.ToolVersion = boundText(req.TerraformVersion, api.MaxRunClaimLength)
	used := declared.caller(p.env)
	c, err := client.New(client.Config{
		Endpoint:      declared.get(p.env, "endpoint"),
		InsecureHTTP:  insecureHTTP,
		CACertPEM:     declared.get(p.env, "ca_cert_pem"),
		ClientCertPEM: used.certPEM,
		ClientKeyPEM:  used.keyPEM,
		Token:         used.token,
		Login:         used.login,
		Ticket:        declared.get(p.env, "change_ticket"),
		Run:           run.ID,
		UserAgent:     fmt.Sprintf("terraform-provider-auditlb/%s (%s/%s)", p.version, run.Claims.Tool, run.Claims.ToolVersion),
	})
	if err != nil {
		addSettingError(&resp.Diagnostics, declared, p.env, err)
		return
	}
	tflog.Info(ctx, "found a credential", used.logFields())
	if err := registerRun(ctx, c, run); err != nil {
		addRegisterError(&resp.Diagnostics, c.Endpoint(), used, err)
		return
	}
	tflog.Info(ctx, "registered the run", map[string]any{"run": run.ID, "system": run.Claims.System, "endpoint": c.Endpoint()})
	shared := &connection{Client: c, history: c.LogHistory(declared.get(p.env, "log_public_key")), run: run.ID}
	if declared.get(p.env, "log_public_key") != "" {
		// A pin is held to also where nothing was seen yet.
		if _, err := shared.history.Latest(ctx); err != nil {
			addHistoryError(&resp.Diagnostics, err)
			return
		}
	}
	resp.ResourceData, resp.DataSourceData = shared, shared
}

// registerRun says what the run claims of itself, unless that is known already:
// Terraform starts several provider processes for one command. A run that
// somebody else registered is used as it is: plan and apply of one pipeline may
// have tokens of their own.
func registerRun(ctx context.Context, c *client.Client, run runIdentity) error {
	known, err := c.Run(ctx, run.ID)
	switch {
	case err == nil && known.Claims == run.Claims:
		return nil
	case err != nil && !client.IsNotFound(err):
		return err
	}
	_, err = c.RegisterRun(ctx, run.ID, run.Claims)
	if client.HasCode(err, api.CodePreconditionFailed) {
		return nil
	}
	return err
}

// addSettingError points at the setting that a client can't be made of.
func addSettingError(diags *diag.Diagnostics, s settings, env environment, err error) {
	name := map[error]string{
		client.ErrEndpoint: "endpoint", client.ErrToken: "token", client.ErrCACert: "ca_cert_pem",
		client.ErrClientCert: "client_cert_pem", client.ErrClientKey: "client_key_pem",
	}
	for sentinel, setting := range name {
		if !errors.Is(err, sentinel) {
			continue
		}
		summary := "Invalid " + setting
		if s.get(env, setting) == "" {
			summary = "Missing " + setting
		}
		detail := fmt.Sprintf("%s. Set %s in the provider block, or the environment variable %s.", upperFirst(err.Error()), setting, envName(setting))
		if setting == "token" {
			detail += " " + loginHint(env) + fmt.Sprintf(" Or show a client certificate: set client_cert_pem and client_key_pem (%s and %s).", envName("client_cert_pem"), envName("client_key_pem"))
		}
		diags.AddAttributeError(path.Root(setting), summary, detail)
		return
	}
	diags.AddError("Can't set up the client", upperFirst(err.Error())+".")
}

// addRegisterError reports that the first call failed: mostly it is the
// endpoint or the credential.
func addRegisterError(diags *diag.Diagnostics, endpoint string, used caller, err error) {
	switch {
	case used.certPEM != "" && client.IsHandshakeRefused(err):
		diags.AddAttributeError(path.Root("client_cert_pem"), "The client certificate was refused",
			fmt.Sprintf("%s ended the TLS handshake: %s. Check that client_cert_pem (or %s) has not ended, is good for clients, and comes with its chain from an authority that the runtime trusts (client_ca_file).", endpoint, err, envName("client_cert_pem")))
	case used.byCertificate() && client.HasCode(err, api.CodeUnauthenticated):
		diags.AddAttributeError(path.Root("client_cert_pem"), "The client certificate was refused",
			fmt.Sprintf("%s lets nobody in with it: %s. Check that the runtime takes client certificates (client_ca_file), that one of its client_certificate blocks matches a name of client_cert_pem (or %s), and that it has not ended.", endpoint, err, envName("client_cert_pem")))
	case errors.Is(err, client.ErrLogin):
		addLoginError(diags, endpoint, used.credential, err)
	case used.login == nil && client.HasCode(err, api.CodeUnauthenticated):
		diags.AddAttributeError(path.Root("token"), "The token was refused",
			fmt.Sprintf("%s doesn't accept it: it is unknown, revoked or has ended. Set token in the provider block, or the environment variable %s. A new one comes from `auditlb token create`. (%s)", endpoint, envName("token"), err))
	default:
		addCallError(diags, "Can't register the run at "+endpoint, err)
	}
}
