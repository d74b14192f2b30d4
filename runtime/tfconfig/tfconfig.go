// Package tfconfig writes objects as configuration for Terraform, as somebody would who
// declares them: attributes at their default, and those that follow from others, are left
// out.
package tfconfig

import (
	"fmt"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Object is an object to write.
type Object struct {
	Address lb.Address
	// Encoded is the object's JSON.
	Encoded jsontext.Value
}

// Names of the provider's where they are not those of the API.
const keyVersionAttribute, keyVersionJSON = "private_key_wo_version", "private_key_version"

// resourceTypes are the resources that are not called after the kind.
var resourceTypes = map[lb.Kind]string{lb.KindFreeze: "auditlb_freeze_window"}

// ResourceType is the type of the resource that declares objects of a kind.
func ResourceType(kind lb.Kind) string {
	if name, ok := resourceTypes[kind]; ok {
		return name
	}
	return "auditlb_" + string(kind)
}

// Write returns the objects as resource blocks, in their order; with imports also the
// blocks that bring the objects that exist under Terraform's care. A certificate's private
// key, which nobody can read, is a variable that is never written to disk.
func Write(objects []Object, imports bool) ([]byte, error) {
	file := hclwrite.NewEmptyFile()
	labels := map[string]bool{}
	for i, o := range objects {
		if i > 0 {
			file.Body().AppendNewline()
		}
		if err := write(file.Body(), o, imports, labels); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Address, err)
		}
	}
	return hclwrite.Format(file.Bytes()), nil
}

func write(to *hclwrite.Body, o Object, imports bool, labels map[string]bool) error {
	members, err := declared(o)
	if err != nil {
		return err
	}
	kind := ResourceType(o.Address.Kind)
	label := labelOf(kind, o.Address.Name, labels)
	if imports {
		body := to.AppendNewBlock("import", nil).Body()
		body.SetAttributeTraversal("to", hcl.Traversal{hcl.TraverseRoot{Name: kind}, hcl.TraverseAttr{Name: label}})
		body.SetAttributeValue("id", cty.StringVal(o.Address.Name))
		to.AppendNewline()
	}
	key := label + "_private_key"
	if o.Address.Kind == lb.KindCertificate {
		body := to.AppendNewBlock("variable", []string{key}).Body()
		body.SetAttributeValue("description", cty.StringVal("The private key of certificate "+o.Address.Name+", in PEM. Null keeps the one that is stored."))
		body.SetAttributeTraversal("type", hcl.Traversal{hcl.TraverseRoot{Name: "string"}})
		body.SetAttributeValue("default", cty.NullVal(cty.String))
		body.SetAttributeValue("ephemeral", cty.True)
		body.SetAttributeValue("sensitive", cty.True)
		to.AppendNewline()
	}
	body := to.AppendNewBlock("resource", []string{kind, label}).Body()
	body.SetAttributeValue("name", cty.StringVal(o.Address.Name))
	for _, m := range members {
		value, err := ctyOf(m.value)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		name := m.name
		if name == keyVersionJSON {
			name = keyVersionAttribute
		}
		body.SetAttributeValue(name, value)
	}
	if o.Address.Kind == lb.KindCertificate {
		body.SetAttributeTraversal("private_key_wo", hcl.Traversal{hcl.TraverseRoot{Name: "var"}, hcl.TraverseAttr{Name: key}})
	}
	return nil
}

func ctyOf(value jsontext.Value) (cty.Value, error) {
	t, err := ctyjson.ImpliedType(value)
	if err != nil {
		return cty.NilVal, err
	}
	return ctyjson.Unmarshal(value, t)
}

var notInLabel = regexp.MustCompile(`[^a-z0-9_-]`)

// labelOf makes a label of a name that no other resource of the type has.
func labelOf(kind, name string, taken map[string]bool) string {
	label := notInLabel.ReplaceAllString(name, "_")
	if !hclsyntax.ValidIdentifier(label) {
		label = "_" + label
	}
	for taken[kind+"."+label] {
		label += "_"
	}
	taken[kind+"."+label] = true
	return label
}
