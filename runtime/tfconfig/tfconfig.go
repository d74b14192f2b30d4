// Package tfconfig writes objects as configuration for Terraform, as somebody would who
// declares them: attributes at their default, and those that follow from others, are left
// out.
package tfconfig

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json"
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

// member is an attribute of an object.
type member struct {
	name  string
	value jsontext.Value
}

// maxReduced bounds the leaves of an object whose defaults are looked for, since each takes
// a reading of the object.
const maxReduced = 400

// declared are the members that have to be declared, the owner first: without any one of
// them the object would be another.
func declared(o Object) ([]member, error) {
	obj, err := lb.Decode(o.Address.Kind, o.Encoded)
	if err != nil {
		return nil, err
	}
	want, err := lb.Encode(obj)
	if err != nil {
		return nil, err
	}
	var root map[string]any
	if err := json.Unmarshal(want, &root); err != nil {
		return nil, err
	}
	if leaves(root) <= maxReduced {
		reduce(root, func() bool {
			b, err := json.Marshal(root)
			if err != nil {
				return false
			}
			obj, err := lb.Decode(o.Address.Kind, b)
			if err != nil {
				return false
			}
			got, err := lb.Encode(obj)
			return err == nil && string(got) == string(want)
		})
	}
	return ordered(root)
}

func leaves(v any) int {
	n := 1
	if object, ok := v.(map[string]any); ok {
		for _, m := range object {
			n += leaves(m)
		}
	}
	return n
}

// reduce takes out every member without which the whole is the same.
func reduce(object map[string]any, same func() bool) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		delete(object, name)
		if same() {
			continue
		}
		object[name] = value
		if inner, ok := value.(map[string]any); ok {
			reduce(inner, same)
		}
	}
}

func ordered(root map[string]any) ([]member, error) {
	var out []member
	for _, name := range slices.Sorted(maps.Keys(root)) {
		value, err := json.Marshal(root[name], json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		m := member{name, value}
		if name == "owner" {
			out = append([]member{m}, out...)
		} else {
			out = append(out, m)
		}
	}
	return out, nil
}
