package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	tfjson "github.com/hashicorp/terraform-json"
	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/tfconfig"
)

func newRunAttach(c *cli) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "attach RUN --plan-json FILE",
		Short: "Say what a run's resources are called in its configuration",
		Long: `Read what 'terraform show -json' says of a saved plan, and keep with the run what
its resources are called in the configuration (module.edge.auditlb_pool.web), which
Terraform does not tell a provider. From then on the entries of the run show it.

Only the addresses of this provider's resources are taken, and the names of their
objects. Values, variables and other resources are not sent anywhere.`,
		Example: `  auditlb run attach github/acme/infra/123/1 --plan-json plan.json
  terraform show -json plan.tfplan | auditlb run attach github/acme/infra/123/1 --plan-json -`,
		Args: exactly(1, "one run's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			addresses, nameless, err := planAddresses(cmd, file)
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			attached := runAttached{ID: args[0], Addresses: len(addresses), NotNamedYet: nameless}
			if len(addresses) > 0 {
				kept, err := cl.AttachRunAddresses(cmd.Context(), args[0], addresses)
				if err != nil {
					return err
				}
				attached.Seq = kept.Seq
			}
			return c.print(cmd, attached, func(out io.Writer) { printAttached(out, attached) })
		},
	}
	cmd.Flags().StringVar(&file, "plan-json", "", "what terraform show -json wrote of the plan; - for standard input")
	_ = cmd.MarkFlagRequired("plan-json")
	return cmd
}

// runAttached is what attach prints.
type runAttached struct {
	ID string `json:"id"`
	// Addresses is how many were kept.
	Addresses int `json:"addresses"`
	// NotNamedYet is how many resources have a name that is not known yet.
	NotNamedYet int `json:"not_named_yet,omitzero"`
	// Seq is the entry that says so; 0 when there was nothing to say.
	Seq int64 `json:"seq,omitzero"`
}

func printAttached(out io.Writer, a runAttached) {
	if a.Addresses == 0 {
		fmt.Fprintln(out, "The plan has no resources of auditlb with a known name: nothing to attach.")
	} else {
		fmt.Fprintf(out, "run %s: %d addresses of resources are in entry %d\n", a.ID, a.Addresses, a.Seq)
	}
	if a.NotNamedYet > 0 {
		fmt.Fprintf(out, "%d resources have a name that is not known yet; attach them after the apply.\n", a.NotNamedYet)
	}
}

// maxPlanBytes bounds a plan as JSON.
const maxPlanBytes = 256 << 20

// planAddresses reads the addresses of this provider's resources from a plan, by those of
// their objects, and counts the resources whose name is not known. Its errors repeat
// nothing of the plan, which may hold secrets.
func planAddresses(cmd *cobra.Command, file string) (addresses map[string]string, nameless int, err error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, 0, fmt.Errorf("plan: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxPlanBytes+1))
	if err != nil {
		return nil, 0, fmt.Errorf("plan: %w", err)
	}
	addresses, nameless, err = addressesIn(data)
	if err != nil {
		return nil, 0, usageError{fmt.Errorf("plan %s: %w", file, err)}
	}
	return addresses, nameless, nil
}

func addressesIn(data []byte) (addresses map[string]string, nameless int, err error) {
	var plan tfjson.Plan
	switch {
	case len(data) > maxPlanBytes:
		return nil, 0, fmt.Errorf("it is larger than %d MiB", maxPlanBytes>>20)
	case bytes.HasPrefix(data, []byte("PK")):
		return nil, 0, errors.New("it is a saved plan: give what terraform show -json writes of it")
	case !jsontext.Value(data).IsValid(), plan.UnmarshalJSON(data) != nil:
		return nil, 0, errors.New("it is not what terraform show -json writes of a saved plan")
	}
	kinds := map[string]lb.Kind{}
	for _, kind := range lb.Kinds {
		kinds[tfconfig.ResourceType(kind)] = kind
	}
	addresses = map[string]string{}
	// Of two resources that have to do with an object, the one that will declare it.
	for _, after := range []bool{true, false} {
		for _, r := range plan.ResourceChanges {
			if r == nil || r.Change == nil || r.Mode != tfjson.ManagedResourceMode || kinds[r.Type] == "" || !ours(r.ProviderName) {
				continue
			}
			values, sensitive := r.Change.After, r.Change.AfterSensitive
			if !after {
				values, sensitive = r.Change.Before, r.Change.BeforeSensitive
			}
			if values == nil {
				continue // it is deleted, or created
			}
			object, ok := objectOf(kinds[r.Type], values, sensitive)
			switch {
			case ok && addresses[object] == "":
				addresses[object] = r.Address
			case !ok && after:
				nameless++
			}
		}
	}
	return addresses, nameless, nil
}

// ours reports whether a resource is of this provider, from whichever registry.
func ours(provider string) bool {
	return provider == "auditlb/auditlb" || strings.HasSuffix(provider, "/auditlb/auditlb")
}

// objectOf is the address of the object that a resource declares: the one value that is
// looked at is its name.
func objectOf(kind lb.Kind, values, sensitive any) (address string, ok bool) {
	if whole, _ := sensitive.(bool); whole {
		return "", false
	}
	if of, _ := sensitive.(map[string]any); of["name"] != nil && of["name"] != false {
		return "", false
	}
	attributes, _ := values.(map[string]any)
	name, _ := attributes["name"].(string)
	a, err := lb.ParseAddress(lb.Address{Kind: kind, Name: name}.String())
	return a.String(), err == nil
}
