package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// MaxCasesBytes bounds a table of cases.
const MaxCasesBytes = 4 << 20

// What a case can expect, and get.
const (
	ExpectAllowed = "allowed"
	ExpectDenied  = "denied"
	// ExpectError is for a change that is refused since a rule can't be evaluated.
	ExpectError = "error"
)

// Cases is a table of changes with what the policies are to say of each.
type Cases struct {
	// Policies are those that the table brings along, compiled; nil for none.
	Policies Set
	List     []Case
}

// Case is one change, and what is expected of it.
type Case struct {
	Name  string
	Input Input
	// Expect is ExpectAllowed, ExpectDenied or ExpectError.
	Expect string
	// By names the rules that must refuse the change, and no others, as
	// policy/rule, sorted; nil when that is not said.
	By []string
	// Line is where the case begins in the table.
	Line int
}

// file is a table of cases as it is written.
type file struct {
	Policies map[string]filePolicy `yaml:"policies"`
	Cases    []fileCase            `yaml:"cases"`
}

type filePolicy struct {
	Rules map[string]fileRule `yaml:"rules"`
}

type fileRule struct {
	When        *string `yaml:"when"`
	Require     string  `yaml:"require"`
	Message     string  `yaml:"message"`
	OnEmergency bool    `yaml:"on_emergency"`
}

type fileCase struct {
	Name   string     `yaml:"name"`
	Change fileChange `yaml:"change"`
	Ticket fileTicket `yaml:"ticket"`
	Actor  fileActor  `yaml:"actor"`
	Run    fileRun    `yaml:"run"`
	Now    moment     `yaml:"now"`
	Expect string     `yaml:"expect"`
	By     []string   `yaml:"by"`
}

// ParseCases reads a table of cases in YAML. What is unknown, repeated or can't be is
// an error that names the line.
func ParseCases(text []byte) (*Cases, error) {
	if len(text) > MaxCasesBytes {
		return nil, fmt.Errorf("cases are %d bytes; at most %d are allowed", len(text), MaxCasesBytes)
	}
	var f file
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, inWords(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document in the file of cases")
	}
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, inWords(err)
	}
	if len(f.Cases) == 0 {
		return nil, errors.New("there are no cases; they stand under the name cases")
	}
	out := &Cases{}
	if f.Policies != nil {
		set, err := inlinePolicies(f.Policies, &root)
		if err != nil {
			return nil, err
		}
		out.Policies = set
	}
	seen := map[string]bool{}
	for i, c := range f.Cases {
		parsed, field, err := c.parse()
		if err == nil && seen[c.Name] {
			field, err = []any{"name"}, fmt.Errorf("name %q is used by another case", c.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line(&root, append([]any{"cases", i}, field...)...), err)
		}
		seen[c.Name] = true
		parsed.Line = line(&root, "cases", i)
		out.List = append(out.List, parsed)
	}
	return out, nil
}

// typeNames are names of Go's and YAML's types in errors.
var typeNames = regexp.MustCompile(` (in|into) type [\w.]+| into [\w.\[\]]+| !!\w+`)

// inWords takes Go's types out of an error of YAML.
func inWords(err error) error {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return fmt.Errorf("cases: %w", err)
	}
	lines := make([]string, len(typed.Errors))
	for i, e := range typed.Errors {
		e = strings.ReplaceAll(typeNames.ReplaceAllString(e, ""), "not found", "is not known here")
		lines[i] = strings.ReplaceAll(e, "cannot unmarshal", "can't use this value:")
	}
	return errors.New(strings.Join(lines, "; "))
}

// line returns the line of a value by the path to it: names and indices. Where the
// path leads nowhere it is the line of what it leads to last.
func line(n *yaml.Node, path ...any) int {
	last := n.Line
	for _, step := range path {
		for n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
			n = n.Content[0]
		}
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		value, begins := child(n, step)
		if value == nil {
			return last
		}
		n, last = value, begins.Line
	}
	return last
}

// child returns what a name or an index leads to, and what says where it begins.
func child(n *yaml.Node, step any) (value, begins *yaml.Node) {
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step], n.Content[step]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1], n.Content[i]
			}
		}
	}
	return nil, nil
}

func inlinePolicies(policies map[string]filePolicy, root *yaml.Node) (Set, error) {
	set := Set{}
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		if msg := lb.CheckName(name); msg != "" {
			return nil, fmt.Errorf("line %d: a policy's name %s", line(root, "policies", name), msg)
		}
		p := lb.NewPolicy()
		p.Owner = "cases"
		p.Rules = map[string]lb.PolicyRule{}
		for ruleName, r := range policies[name].Rules {
			when := lb.DefaultRuleWhen
			if r.When != nil {
				when = *r.When
			}
			p.Rules[ruleName] = lb.PolicyRule{When: when, Require: r.Require, Message: r.Message, OnEmergency: r.OnEmergency}
		}
		p.Normalize()
		found := p.Validate()
		compiled, uncompiled := Compile(name, 0, p)
		if len(found) == 0 {
			found = uncompiled
		}
		if len(found) > 0 {
			v := found[0]
			path := []any{"policies", name}
			for part := range strings.SplitSeq(strings.TrimPrefix(v.Pointer, "/"), "/") {
				path = append(path, part)
			}
			return nil, fmt.Errorf("line %d: policy %s: %w", line(root, path...), name, found)
		}
		set = append(set, compiled)
	}
	return set, nil
}
