package history

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Attribute is one attribute of an object and the entry that set it.
type Attribute struct {
	// Pointer is a JSON pointer into the object (RFC 6901). Arrays are one attribute, as
	// are empty objects.
	Pointer string
	Value   jsontext.Value
	// Entry set the attribute to this value. With Gone it is the newest entry that is
	// known to have left it as it is, and whose own body is gone: it, or one before it, did.
	Entry audit.Entry
	Gone  bool
}

// Blame says for each attribute of an object, as it was at a revision, which entry set
// it, in order of pointer. An object that did not exist then has none; one whose own body
// is gone has none either, and Object.Gone set.
func Blame(ctx context.Context, log Log, address lb.Address, revision int64) (*Object, []Attribute, error) {
	object, err := ObjectAt(ctx, log, address, revision)
	if err != nil || object == nil || !object.Exists() || object.Gone {
		return object, nil, err
	}
	values, err := Leaves(object.Encoded)
	if err != nil {
		return nil, nil, &Damage{object.Entry.Seq, err}
	}
	found := make(map[string]Attribute, len(values))
	var p pace
	for through := object.Entry.Seq; len(found) < len(values); {
		asked := p.next()
		rows, err := log.Changes(ctx, address.String(), through, asked)
		if err != nil {
			return nil, nil, err
		}
		p.saw(rows)
		for i := range rows {
			c, err := readChange(&rows[i])
			if err != nil {
				return nil, nil, err
			}
			if err := attribute(&c, values, found); err != nil {
				return nil, nil, err
			}
			if len(found) == len(values) {
				break
			}
		}
		if len(rows) < asked {
			break
		}
		through = rows[len(rows)-1].Seq - 1
	}
	out := make([]Attribute, 0, len(values))
	for _, pointer := range slices.Sorted(maps.Keys(values)) {
		if a, ok := found[pointer]; ok {
			out = append(out, a)
		}
	}
	return object, out, nil
}

// attribute finds which of the values that nothing newer has set a change has set.
//
// Invariant: a value that is not found yet is what it was after this change.
func attribute(c *change, values map[string]jsontext.Value, found map[string]Attribute) error {
	var before map[string]jsontext.Value
	if !c.gone && c.body.Before != nil {
		var err error
		if before, err = Leaves(c.body.Before); err != nil {
			return &Damage{c.entry.Seq, err}
		}
	}
	for pointer, value := range values {
		if _, ok := found[pointer]; ok {
			continue
		}
		was, had := before[pointer]
		if !had || !bytes.Equal(was, value) {
			found[pointer] = Attribute{pointer, value, c.entry, c.gone}
		}
	}
	return nil
}

// Leaves are the attributes of an object by JSON pointer.
func Leaves(object jsontext.Value) (map[string]jsontext.Value, error) {
	leaves := map[string]jsontext.Value{}
	return leaves, leavesOf("", object, leaves)
}

func leavesOf(pointer string, value jsontext.Value, into map[string]jsontext.Value) error {
	if value.Kind() != '{' {
		into[pointer] = value
		return nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(value, &members); err != nil {
		return err
	}
	if len(members) == 0 {
		into[pointer] = value
	}
	for name, member := range members {
		if err := leavesOf(pointer+"/"+escape.Replace(name), member, into); err != nil {
			return err
		}
	}
	return nil
}

// escape writes a member's name as a part of a JSON pointer (RFC 6901 §3).
var escape = strings.NewReplacer("~", "~0", "/", "~1")
