package console

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// difference is two states of an object beside each other, attribute by attribute.
type difference struct {
	Rows []differenceRow
	// Changed counts the rows that differ.
	Changed int
	// Creates and Deletes are set where one side is not there at all.
	Creates, Deletes bool
}

// differenceRow is one attribute on both sides.
type differenceRow struct {
	// Path is the attribute's, such as members.a.weight.
	Path string
	// Mark is "+" for what is only after, "−" for what is only before, "±" for what is
	// different and " " for what is the same.
	Mark          string
	Before, After string
}

// Same reports whether the attribute is the same on both sides.
func (r differenceRow) Same() bool { return r.Mark == " " }

// Unchanged counts the attributes that are the same.
func (d difference) Unchanged() int { return len(d.Rows) - d.Changed }

// compare puts two states beside each other. An absent one is nil.
func compare(before, after jsontext.Value) (difference, error) {
	d := difference{Creates: before == nil && after != nil, Deletes: before != nil && after == nil}
	whole := d.Creates || d.Deletes
	old, err := leaves(before)
	if err != nil {
		return d, err
	}
	now, err := leaves(after)
	if err != nil {
		return d, err
	}
	// Both are in canonical order, by name at each level, so they are merged as they come.
	for len(old) > 0 || len(now) > 0 {
		order := 0
		switch {
		case len(old) == 0:
			order = 1
		case len(now) == 0:
			order = -1
		default:
			order = slices.Compare(old[0].path, now[0].path)
		}
		row, unset := differenceRow{}, false
		switch {
		case order < 0:
			row, unset, old = differenceRow{old[0].name(), "−", old[0].text, ""}, old[0].unset, old[1:]
		case order > 0:
			row, unset, now = differenceRow{now[0].name(), "+", "", now[0].text}, now[0].unset, now[1:]
		default:
			row = differenceRow{now[0].name(), " ", old[0].text, now[0].text}
			if row.Before != row.After {
				row.Mark = "±"
			}
			old, now = old[1:], now[1:]
		}
		if whole && unset && row.Path != "" {
			continue // says nothing in what is new, or gone, as a whole
		}
		if row.Mark != " " {
			d.Changed++
		}
		d.Rows = append(d.Rows, row)
	}
	return d, nil
}

// patched shows the steps of a patch as a difference, without what stays the same.
func patched(patch []lb.Change) (difference, error) {
	if len(patch) == 1 && patch[0].Path == "" {
		return compare(patch[0].Old, patch[0].Value)
	}
	var out difference
	for _, step := range patch {
		d, err := compare(step.Old, step.Value)
		if err != nil {
			return out, err
		}
		prefix := attributePath(step.Path)
		for _, row := range d.Rows {
			switch {
			case row.Path == "":
				row.Path = prefix
			case row.Path[0] == '[':
				row.Path = prefix + row.Path
			default:
				row.Path = prefix + "." + row.Path
			}
			out.Rows = append(out.Rows, row)
		}
		out.Changed += d.Changed
	}
	return out, nil
}

// leaf is one value of an object that has none inside.
type leaf struct {
	// path has the names from the outside in; a place in a list is a number of 8 digits,
	// so that they are in order.
	path []string
	text string
	list []bool // which of path are places in lists
	// unset is set for null, "", and what has nothing inside.
	unset bool
}

// name writes the path as people write attributes.
func (l leaf) name() string {
	var b bytes.Buffer
	for i, part := range l.path {
		switch {
		case l.list[i]:
			n, _ := strconv.Atoi(part)
			fmt.Fprintf(&b, "[%d]", n)
			continue
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}

// leaves lists the values of an object in canonical order (RFC 8785).
func leaves(v jsontext.Value) ([]leaf, error) {
	if v == nil {
		return nil, nil
	}
	v = v.Clone()
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("read an object: %w", err)
	}
	var out []leaf
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	if err := walk(dec, nil, nil, &out); err != nil {
		return nil, fmt.Errorf("read an object: %w", err)
	}
	// Canonical order is that of UTF-16; this is that of the merge.
	slices.SortStableFunc(out, func(a, b leaf) int { return slices.Compare(a.path, b.path) })
	return out, nil
}

func walk(dec *jsontext.Decoder, path []string, list []bool, out *[]leaf) error {
	kind := dec.PeekKind()
	if kind != '{' && kind != '[' {
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		*out = append(*out, leaf{slices.Clone(path), plain(v), slices.Clone(list), kind == 'n' || string(v) == `""`})
		return nil
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	n := 0
	for ; dec.PeekKind() != '}' && dec.PeekKind() != ']'; n++ {
		if dec.PeekKind() == jsontext.KindInvalid {
			_, err := dec.ReadToken()
			return err
		}
		name := fmt.Sprintf("%08d", n)
		if kind == '{' {
			token, err := dec.ReadToken()
			if err != nil {
				return err
			}
			name = token.String()
		}
		if err := walk(dec, append(path, name), append(list, kind == '['), out); err != nil {
			return err
		}
	}
	if n == 0 {
		*out = append(*out, leaf{slices.Clone(path), "none", slices.Clone(list), true})
	}
	_, err := dec.ReadToken()
	return err
}

// listed writes a value for people, and a list of such with a line for each.
func listed(v jsontext.Value) (text string, unset bool, err error) {
	values, err := leaves(v)
	if err != nil {
		return "", false, err
	}
	var lines []string
	for _, l := range values {
		if len(l.path) > 1 || slices.Contains(l.list, false) {
			return plain(v), false, nil // it has names inside, too
		}
		lines = append(lines, l.text)
	}
	return strings.Join(lines, "\n"), len(values) == 1 && values[0].unset && len(values[0].path) == 0, nil
}

// notSet stands for null.
const notSet = "not set"

// plain writes a value for people: a text without its quotes, unless it is empty, and
// words for null.
func plain(v jsontext.Value) string {
	if v.Kind() == 'n' {
		return notSet
	}
	if v.Kind() != '"' {
		return string(v)
	}
	text, err := jsontext.AppendUnquote(nil, v)
	if err != nil || len(text) == 0 {
		return string(v)
	}
	return string(text)
}
