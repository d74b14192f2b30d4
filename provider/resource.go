package provider

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// objectResource is a resource that declares one object. All kinds share it;
// what differs is the codec's schema.
type objectResource struct {
	codec
	client *connection
}

var (
	_ resource.ResourceWithConfigure      = (*objectResource)(nil)
	_ resource.ResourceWithValidateConfig = (*objectResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*objectResource)(nil)
	_ resource.ResourceWithImportState    = (*objectResource)(nil)
)

func newObjectResource(c codec) resource.Resource {
	c.declared = withMeta(c.kind, c.declared)
	for _, name := range append([]string{attrID, attrName}, loggedAttributes...) {
		delete(c.declared, name)
	}
	return &objectResource{codec: c}
}

// Metadata implements [resource.Resource].
func (r *objectResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + cmp.Or(r.resourceName, string(r.kind))
}

// Schema implements [resource.Resource].
func (r *objectResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: lb.DescribeKind(r.kind), Attributes: withMeta(r.kind, r.declared)}
}

// Configure implements [resource.ResourceWithConfigure].
func (r *objectResource) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	// There is no client yet when Terraform only validates.
	r.client, _ = req.ProviderData.(*connection)
}

// Create implements [resource.Resource].
func (r *objectResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	at := r.address(req.Plan.Raw)
	obj, err := r.put(ctx, at, req.Plan.Raw, req.Config, client.IfAbsent())
	if err != nil {
		r.addError(&resp.Diagnostics, at, lb.OpCreate, 0, err)
		return
	}
	if resp.State.Raw, err = r.stateOf(ctx, obj, req.Plan.Raw); err != nil {
		r.addError(&resp.Diagnostics, at, lb.OpCreate, 0, err)
	}
	wrote(ctx, obj.Revision, resp.Private, &resp.Diagnostics)
	r.client.remember(ctx, resp.Private, &resp.Diagnostics)
}

// Read implements [resource.Resource].
func (r *objectResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	at := r.address(req.State.Raw)
	if !r.client.checkHistory(ctx, req.Private, resp.Private, &resp.Diagnostics) {
		return
	}
	obj, err := r.client.Get(ctx, at)
	if client.IsNotFound(err) {
		r.gone(ctx, at, req.State.Raw, req.Private, &resp.Diagnostics)
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		addCallError(&resp.Diagnostics, fmt.Sprintf("Can't read %s", at), err)
		return
	}
	if resp.State.Raw, err = r.stateOf(ctx, obj, req.State.Raw); err != nil {
		addCallError(&resp.Diagnostics, fmt.Sprintf("Can't read %s", at), err)
		return
	}
	r.refreshed(ctx, at, obj, req.State.Raw, req.Private, resp.Private, &resp.Diagnostics)
}

// Update implements [resource.Resource].
func (r *objectResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	at, revision := r.address(req.Plan.Raw), revisionOf(req.State.Raw)
	obj, err := r.put(ctx, at, req.Plan.Raw, req.Config, client.IfRevision(revision))
	if err != nil {
		r.addError(&resp.Diagnostics, at, lb.OpUpdate, revision, err)
		return
	}
	if resp.State.Raw, err = r.stateOf(ctx, obj, req.Plan.Raw); err != nil {
		r.addError(&resp.Diagnostics, at, lb.OpUpdate, revision, err)
	}
	wrote(ctx, obj.Revision, resp.Private, &resp.Diagnostics)
	r.client.remember(ctx, resp.Private, &resp.Diagnostics)
}

// Delete implements [resource.Resource].
func (r *objectResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	at, revision := r.address(req.State.Raw), revisionOf(req.State.Raw)
	_, err := r.client.Delete(ctx, at, client.IfRevision(revision))
	if err != nil && !client.IsNotFound(err) {
		r.addError(&resp.Diagnostics, at, lb.OpDelete, revision, err)
	}
}

// ImportState implements [resource.ResourceWithImportState]. It takes a name or
// an address: "web" or "pool/web".
func (r *objectResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	name := strings.TrimPrefix(req.ID, string(r.kind)+"/")
	if msg := lb.CheckName(name); msg != "" {
		resp.Diagnostics.AddError(
			fmt.Sprintf("%q can't be the import id of a %s", req.ID, r.kind),
			fmt.Sprintf("The import id is the object's name, such as web or %s/web. A name %s.", r.kind, msg),
		)
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(attrName), types.StringValue(name))...)
}

// put sends the object that a plan declares. The private key, which no plan
// holds, comes from the configuration.
func (r *objectResource) put(ctx context.Context, at lb.Address, plan tftypes.Value, config tfsdk.Config, pre client.Precondition) (*api.Object, error) {
	f, err := r.encode(plan)
	if err != nil {
		return nil, err
	}
	if cert, ok := f.object.(*lb.Certificate); ok {
		return r.client.Put(ctx, at, &api.CertificateWrite{Certificate: *cert, PrivateKeyPEM: api.Secret(stringIn(config.Raw, attrPrivateKey))}, pre)
	}
	return r.client.Put(ctx, at, f.object, pre)
}

// stateOf is the state of an object as the API answered it. Prior is what it
// was declared as: the plan, or the state so far.
func (r *objectResource) stateOf(ctx context.Context, obj *api.Object, prior tftypes.Value) (tftypes.Value, error) {
	var normal map[string]any
	if err := json.Unmarshal(obj.Object, &normal); err != nil {
		return prior, fmt.Errorf("the object that was answered can't be read")
	}
	declared, err := r.encode(prior)
	if err != nil {
		return prior, err
	}
	values, err := r.decode(ctx, normal, prior, declared.normal)
	if err != nil {
		return prior, err
	}
	last := obj.LastChange
	values[attrID] = tftypes.NewValue(tftypes.String, r.addressOf(obj.Name).String())
	values[attrName] = tftypes.NewValue(tftypes.String, obj.Name)
	values[attrRevision] = tftypes.NewValue(tftypes.Number, new(big.Float).SetInt64(obj.Revision))
	values[attrLastChangedBy] = tftypes.NewValue(tftypes.String, last.Actor)
	values[attrLastChangeTicket] = tftypes.NewValue(tftypes.String, last.Ticket)
	values[attrLastChangedAt] = tftypes.NewValue(tftypes.String, last.At.UTC().Format(time.RFC3339Nano))
	values[attrLastChangeRun] = tftypes.NewValue(tftypes.String, last.Run)
	return newValue(prior.Type(), values)
}

func (r *objectResource) addressOf(name string) lb.Address {
	return lb.Address{Kind: r.kind, Name: name}
}

// address is the address of the object in a plan or state; its name is empty
// while it isn't known.
func (r *objectResource) address(value tftypes.Value) lb.Address {
	return r.addressOf(stringIn(value, attrName))
}

// stringIn returns a string of an object, "" when it is null or unknown.
func stringIn(value tftypes.Value, name string) string {
	members, _ := objectOf(value)
	v := members[name]
	if v.IsNull() || !v.IsKnown() {
		return ""
	}
	var s string
	_ = v.As(&s)
	return s
}

// revisionOf returns the revision in a state.
func revisionOf(state tftypes.Value) int64 {
	members, _ := objectOf(state)
	v := members[attrRevision]
	if v.IsNull() || !v.IsKnown() {
		return 0
	}
	var n big.Float
	_ = v.As(&n)
	revision, _ := n.Int64()
	return revision
}
