package provider_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/auditlb/terraform-provider-auditlb/provider"
	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// drifting is one object of the matrix: some attributes, all in one way.
type drifting struct {
	at  lb.Address
	how string // changed, unset, deleted or recreated
	// cases are the attributes. Declared is what the configuration says, drifted what something else
	// makes of it.
	cases             []attributeCase
	declared, drifted object
	// key is a certificate's private key, and otherKey the one that it drifts to.
	key, otherKey string
}

// ways are how an attribute can drift.
var ways = []string{"changed", "unset", "deleted", "recreated"}

// TestAccDriftMatrix: each attribute of each resource, changed, unset, deleted and
// recreated by somebody else, is told once by name in a plan, in a refresh-only plan and
// in a plan that does not look; an apply repairs it; then nothing is left to say.
func TestAccDriftMatrix(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	chain, key := acctest.KeyPair(t, "site.example.com")
	otherChain, otherKey := acctest.KeyPair(t, "other.example.com")
	env := append(rt.Settings(), "AUDITLB_TOKEN="+rt.Tokens[identity.Admin], "AUDITLB_RUN_WORKSPACE=edge", "TF_VAR_key="+key)
	w := acctest.NewWorkspace(t, env...)
	ours := rt.Client(t, client.Config{Token: api.Secret(rt.Tokens[identity.Admin]), Ticket: rt.Ticket})
	foreign := rt.OpenTicket(t, api.TicketRequest{})
	theirs := rt.Client(t, client.Config{Token: api.Secret(rt.Token(t, "rosa", identity.Admin)), Ticket: foreign})
	for _, needed := range []struct {
		address string
		body    object
	}{
		{"certificate/site", object{"owner": "edge", "chain_pem": chain, "private_key_pem": key}},
		{"certificate/spare", object{"owner": "edge", "chain_pem": otherChain, "private_key_pem": otherKey}},
		{"pool/one", object{"owner": "edge"}},
		{"pool/two", object{"owner": "edge"}},
		{"pool/k", object{"owner": "edge"}},
		{"listener/plain", object{"owner": "edge", "address": "127.0.0.1", "port": acctest.FreePort(t)}},
		{"listener/other", object{"owner": "edge", "address": "127.0.0.1", "port": acctest.FreePort(t)}},
	} {
		at, _ := lb.ParseAddress(needed.address)
		if _, err := ours.Put(t.Context(), at, needed.body, client.IfAbsent()); err != nil {
			t.Fatalf("%s: %v", needed.address, err)
		}
	}
	matrix := driftMatrix(t, driftCases(otherChain), chain, key, otherChain, otherKey)

	declare(t, w, matrix)
	w.MustRun(t, "apply", "-auto-approve", plainOutput)
	left := map[lb.Address]string{}
	for _, d := range matrix {
		left[d.at] = objectAt(t, ours, d.at)
		d.happen(t, theirs)
	}

	for _, mode := range []struct {
		name string
		args []string
	}{
		{"plan", []string{"plan", "-out=all"}},
		{"refresh-only", []string{"plan", "-refresh-only"}},
		{"without a refresh", []string{"plan", "-refresh=false"}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			told(t, matrix, warningsIn(t, w.MustRun(t, append(mode.args, "-json")...)), foreign)
		})
	}
	t.Run("the plan's JSON tells a review tool", func(t *testing.T) { reviewable(t, matrix, w.MustRun(t, "show", "-json", "all"), foreign) })
	t.Run("each is one entry, however often it was seen", func(t *testing.T) {
		seen := map[string]int{}
		for _, e := range rt.Entries(t, api.EntryQuery{Type: "drift"}) {
			seen[e.Resource]++
		}
		for _, d := range matrix {
			if seen[d.at.String()] != 1 {
				t.Errorf("%s: %d entries", d.at, seen[d.at.String()])
			}
		}
	})
	t.Run("an apply repairs it", func(t *testing.T) {
		if warnings := warningsIn(t, w.MustRun(t, "apply", "-json", "all")); len(warnings) > 0 {
			t.Errorf("what was told when it was planned is told again: %+v", warnings[0])
		}
		for _, d := range matrix {
			if now := objectAt(t, ours, d.at); now != left[d.at] {
				t.Errorf("%s (%s) is\n%s, and was\n%s", d.at, d.how, now, left[d.at])
			}
		}
	})
	t.Run("then nothing is left", func(t *testing.T) {
		out := w.MustRun(t, "plan", "-detailed-exitcode", "-json")
		if warnings := warningsIn(t, out); len(warnings) > 0 {
			t.Errorf("%d warnings, the first: %+v", len(warnings), warnings[0])
		}
	})
}

// maxTogether is how many attributes drift in one object: fewer than a warning shows.
const maxTogether = 18

// driftMatrix has each attribute drift in each way, as many as go together in one object.
// An attribute without a case fails the test.
func driftMatrix(t *testing.T, cases map[lb.Kind][]attributeCase, chain, key, otherChain, otherKey string) []*drifting {
	t.Helper()
	var matrix []*drifting
	ports := map[int]bool{}
	port := func() int {
		for {
			if p := acctest.FreePort(t); !ports[p] {
				ports[p] = true
				return p
			}
		}
	}
	for kind, attributes := range kindAttributes(t) {
		covered := map[string]attributeCase{}
		for _, c := range cases[kind] {
			covered[c.path] = c
		}
		for _, how := range ways {
			var objects []*drifting
			for _, path := range slices.Sorted(maps.Keys(attributes)) {
				c, ok := covered[path]
				if !ok {
					t.Fatalf("%s.%s has no case in the drift matrix: add one to driftCases", kind, path)
				}
				switch path {
				case "port":
					c.was, c.becomes = port(), port()
				case "chain_pem":
					c.was, c.becomes = chain, otherChain
				}
				if how == "unset" && attributes[path] || how == "changed" && c.becomes == nil {
					continue
				}
				if !slices.ContainsFunc(objects, func(d *drifting) bool { return d.add(c) }) {
					d := &drifting{at: lb.Address{Kind: kind, Name: fmt.Sprintf("%s-%d", how, len(objects))}, how: how, declared: leastOf(kind), key: key, otherKey: key}
					switch kind {
					case lb.KindListener:
						d.declared["port"] = port()
					case lb.KindCertificate:
						d.declared["chain_pem"], d.otherKey = chain, key
					}
					d.drifted = d.declared
					if !d.add(c) {
						t.Errorf("%s.%s %s: the case is no drift of a valid object", kind, path, how)
						continue
					}
					objects = append(objects, d)
				}
			}
			matrix = append(matrix, objects...)
		}
		for path := range covered {
			if _, ok := attributes[path]; !ok {
				t.Errorf("%s.%s is a case of the drift matrix and no attribute", kind, path)
			}
		}
	}
	for _, d := range matrix {
		if d.at.Kind == lb.KindCertificate && d.drifted["chain_pem"] == otherChain {
			d.otherKey = otherKey
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return matrix
}

// add has one more attribute drift, if that leaves the object a valid one in which each
// of its attributes is different.
func (d *drifting) add(c attributeCase) bool {
	more := *d
	more.cases = append(slices.Clone(d.cases), c)
	path := jsonPath(c.path)
	more.declared = with(merged(d.declared, c.with), path, c.was)
	for _, before := range d.cases {
		more.declared = with(more.declared, jsonPath(before.path), before.was)
	}
	more.drifted = more.declared
	for _, c := range more.cases {
		becomes := c.becomes
		if d.how == "unset" {
			becomes = nil
		}
		more.drifted = with(more.drifted, jsonPath(c.path), becomes)
		if becomes == nil {
			for _, path := range c.without {
				more.drifted = with(more.drifted, path, nil)
			}
			more.drifted = merged(more.drifted, c.instead)
		}
	}
	before, after := normalized(d.at.Kind, more.declared), normalized(d.at.Kind, more.drifted)
	if len(more.cases) > maxTogether || before == nil || after == nil {
		return false
	}
	for _, c := range more.cases {
		if reflect.DeepEqual(valueAt(before, c.path), valueAt(after, c.path)) {
			return false
		}
	}
	*d = more
	return true
}

// normalized is an object as the API has it; nil when it is not valid.
func normalized(kind lb.Kind, o object) (normal object) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	decoded, err := lb.Decode(kind, text)
	if err != nil || len(decoded.Validate()) > 0 {
		return nil
	}
	encoded, err := lb.Encode(decoded)
	if err != nil || json.Unmarshal(encoded, &normal) != nil {
		return nil
	}
	return normal
}

// valueAt is what an object has at a path.
func valueAt(o object, path string) any {
	name, rest := cutPath(jsonPath(path))
	below, ok := o[name].(object)
	if rest == "" || !ok {
		return o[name]
	}
	return valueAt(below, rest)
}

// jsonPath is an attribute as the API calls it.
func jsonPath(path string) string { return strings.Replace(path, "private_key_wo", "private_key", 1) }

// kindAttributes are the attributes of each kind that can drift, from the provider's
// schema, and whether they are required. What is computed alone follows from others; a
// write-only one is nowhere to be compared with; another name is another object.
func kindAttributes(t *testing.T) map[lb.Kind]map[string]bool {
	t.Helper()
	kinds := map[string]lb.Kind{}
	for _, kind := range lb.Kinds {
		kinds[resourceType(kind)] = kind
	}
	out := map[lb.Kind]map[string]bool{}
	for _, make := range provider.New("test")().Resources(t.Context()) {
		r := make()
		var name resource.MetadataResponse
		r.Metadata(t.Context(), resource.MetadataRequest{ProviderTypeName: "auditlb"}, &name)
		kind, ok := kinds[name.TypeName]
		if !ok {
			continue
		}
		var of resource.SchemaResponse
		r.Schema(t.Context(), resource.SchemaRequest{}, &of)
		out[kind] = map[string]bool{}
		collectAttributes(out[kind], "", of.Schema.Attributes)
		delete(out[kind], "name")
	}
	if len(out) != len(lb.Kinds) {
		t.Fatalf("the provider has resources for %d of %d kinds", len(out), len(lb.Kinds))
	}
	return out
}

func collectAttributes(into map[string]bool, prefix string, attributes map[string]schema.Attribute) {
	for name, a := range attributes {
		if a.IsWriteOnly() || a.IsComputed() && !a.IsOptional() {
			continue
		}
		into[prefix+name] = a.IsRequired()
		switch a := a.(type) {
		case schema.SingleNestedAttribute:
			collectAttributes(into, prefix+name+".", a.Attributes)
		case schema.MapNestedAttribute:
			collectAttributes(into, prefix+name+".*.", a.NestedObject.Attributes)
		}
	}
}

// resourceType is a kind's type of resource in Terraform.
func resourceType(kind lb.Kind) string {
	if kind == lb.KindFreeze {
		return "auditlb_freeze_window"
	}
	return "auditlb_" + string(kind)
}

// declare writes the configuration.
func declare(t *testing.T, w *acctest.Workspace, matrix []*drifting) {
	t.Helper()
	resources := object{}
	for _, d := range matrix {
		name := resourceType(d.at.Kind)
		body := merged(d.declared, object{"name": d.at.Name})
		if d.at.Kind == lb.KindCertificate {
			body["private_key_wo"] = "${var.key}"
			if version, ok := body["private_key_version"]; ok {
				delete(body, "private_key_version")
				body["private_key_wo_version"] = version
			}
		}
		of, _ := resources[name].(object)
		resources[name] = merged(of, object{d.at.Name: body})
	}
	text, err := json.Marshal(object{"resource": resources, "variable": object{"key": object{"ephemeral": true}}})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(t, "main.tf.json", string(text))
}

// happen makes it so.
func (d *drifting) happen(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, pre := t.Context(), client.IfPresent()
	if d.how == "deleted" || d.how == "recreated" {
		if _, err := c.Delete(ctx, d.at, pre); err != nil {
			t.Fatalf("%s: %v", d.at, err)
		}
		pre = client.IfAbsent()
	}
	if d.how == "deleted" {
		return
	}
	body := d.drifted
	if d.at.Kind == lb.KindCertificate {
		body = merged(body, object{"private_key_pem": d.otherKey})
	}
	if _, err := c.Put(ctx, d.at, body, pre); err != nil {
		t.Fatalf("%s (%s): %v", d.at, d.how, err)
	}
}

// objectAt is an object as the API has it.
func objectAt(t *testing.T, c *client.Client, at lb.Address) string {
	t.Helper()
	o, err := c.Get(context.Background(), at)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	return string(o.Object)
}

// warning is a diagnostic of terraform's, which may be an error too.
type warning struct {
	Severity, Summary, Detail string
	// Snippet is what it is about in the configuration: the block, and lines of it.
	Snippet struct{ Context, Code string }
}

// warningsIn reads the diagnostics from what terraform prints with -json. Those that are
// about the test's own provider are left out.
func warningsIn(t *testing.T, out string) (warnings []warning) {
	t.Helper()
	for line := range bytes.Lines([]byte(out)) {
		var message struct {
			Type       string  `json:"type"`
			Diagnostic warning `json:"diagnostic"`
		}
		if json.Unmarshal(line, &message, json.MatchCaseInsensitiveNames(true)) == nil && message.Type == "diagnostic" && !strings.Contains(message.Diagnostic.Summary, "development overrides") {
			warnings = append(warnings, message.Diagnostic)
		}
	}
	return warnings
}

// told demands one warning for each object, which names who did it and what is different.
func told(t *testing.T, matrix []*drifting, warnings []warning, ticket string) {
	t.Helper()
	byAddress := map[string][]warning{}
	for _, w := range warnings {
		address, _, _ := strings.Cut(w.Summary, " ")
		byAddress[address] = append(byAddress[address], w)
	}
	words := map[string]string{
		"changed": "was changed outside of this configuration", "unset": "was changed outside of this configuration",
		"deleted": "was deleted outside of this configuration", "recreated": "was deleted and recreated outside of this configuration",
	}
	for _, d := range matrix {
		got := byAddress[d.at.String()]
		if len(got) != 1 {
			t.Errorf("%s (%s) is told %d times: %+v", d.at, d.how, len(got), got)
			continue
		}
		w := got[0]
		wants := []string{"by rosa at 20", "under ticket " + ticket + ", which is none of this workspace's, through the API (revision "}
		for _, c := range d.cases {
			if d.how != "deleted" && !shows(w.Detail, strings.ReplaceAll(c.path, ".*", `["k"]`)) {
				t.Errorf("%s (%s): %s is not among what is different:\n%s", d.at, d.how, c.path, w.Detail)
			}
		}
		for _, want := range wants {
			if !strings.Contains(w.Detail, want) {
				t.Errorf("%s (%s): no %q in\n%s", d.at, d.how, want, w.Detail)
			}
		}
		if w.Severity != "warning" || !strings.HasSuffix(w.Summary, words[d.how]) {
			t.Errorf("%s (%s): %s %q", d.at, d.how, w.Severity, w.Summary)
		}
		delete(byAddress, d.at.String())
	}
	for address, more := range byAddress {
		t.Errorf("%s: a warning too many: %+v", address, more)
	}
}

// shows reports whether a warning has a line about an attribute, a part of it, or all that
// it is a part of.
func shows(detail, path string) bool {
	for line := range strings.Lines(detail) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), ": ")
		within := func(whole, part string) bool {
			rest, ok := strings.CutPrefix(part, whole)
			return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
		}
		if strings.HasPrefix(line, "  ") && (within(path, name) || within(name, path)) {
			return true
		}
	}
	return false
}

// reviewable demands that the plan's resource_drift says who changed what.
func reviewable(t *testing.T, matrix []*drifting, shown, ticket string) {
	t.Helper()
	type state struct {
		Name      string `json:"name"`
		Revision  int64  `json:"revision"`
		By        string `json:"last_changed_by"`
		Ticket    string `json:"last_change_ticket"`
		At        string `json:"last_changed_at"`
		InNoRun   string `json:"last_change_run"`
		Everybody object `json:",unknown"`
	}
	var plan struct {
		Drift []struct {
			Type   string
			Change struct {
				Actions       []string
				Before, After *state
			}
		} `json:"resource_drift"`
	}
	if err := json.Unmarshal([]byte(shown), &plan, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	drifted := map[string]*state{}
	deleted := 0
	for _, d := range plan.Drift {
		if d.Change.After == nil {
			deleted++
			continue
		}
		drifted[d.Type+d.Change.After.Name] = d.Change.After
		if d.Change.Before.By != "ada" || d.Change.Before.Revision >= d.Change.After.Revision {
			t.Errorf("before: %+v", d.Change.Before)
		}
	}
	for _, d := range matrix {
		if d.how == "deleted" {
			deleted--
			continue
		}
		s := drifted[resourceType(d.at.Kind)+d.at.Name]
		if s == nil || s.By != "rosa" || s.Ticket != ticket || s.At == "" || s.InNoRun != "" || s.Revision == 0 {
			t.Errorf("%s (%s): %+v", d.at, d.how, s)
		}
	}
	if deleted != 0 {
		t.Errorf("%d deletions too many", deleted)
	}
}
