package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// planned is a resource in a plan, with what its change says.
func plannedResource(address, kind, change string) string {
	return fmt.Sprintf(`{"address":%q,"mode":"managed","type":%q,"name":"x","provider_name":"registry.terraform.io/auditlb/auditlb","change":%s}`, address, kind, change)
}

func planOf(resources ...string) string {
	return `{"format_version":"1.2","resource_changes":[` + strings.Join(resources, ",") + `]}`
}

func TestAddressesAreReadFromAPlan(t *testing.T) {
	const create, update = `{"actions":["create"],"before":null,"after":{"name":"web"}}`, `{"actions":["update"],"before":{"name":"web"},"after":{"name":"web"}}`
	foreign := strings.ReplaceAll(plannedResource("x.web", "auditlb_pool", create), "auditlb/auditlb", "acme/auditlb")
	data := strings.Replace(plannedResource("data.auditlb_pool.web", "auditlb_pool", create), "managed", "data", 1)
	for _, tt := range []struct {
		name     string
		plan     string
		want     map[string]string
		nameless int
	}{
		{"created", planOf(plannedResource("auditlb_pool.web", "auditlb_pool", create)), map[string]string{"pool/web": "auditlb_pool.web"}, 0},
		{"a kind of another name", planOf(plannedResource("auditlb_freeze_window.w", "auditlb_freeze_window", update)), map[string]string{"freeze/web": "auditlb_freeze_window.w"}, 0},
		{"unchanged", planOf(plannedResource(`module.a["b/c"].auditlb_pool.web[0]`, "auditlb_pool", `{"actions":["no-op"],"before":{"name":"web"},"after":{"name":"web"}}`)), map[string]string{"pool/web": `module.a["b/c"].auditlb_pool.web[0]`}, 0},
		{"deleted", planOf(plannedResource("auditlb_pool.web", "auditlb_pool", `{"actions":["delete"],"before":{"name":"web"},"after":null}`)), map[string]string{"pool/web": "auditlb_pool.web"}, 0},
		{"renamed", planOf(plannedResource("auditlb_pool.web", "auditlb_pool", `{"actions":["delete","create"],"before":{"name":"old"},"after":{"name":"new"}}`)), map[string]string{"pool/old": "auditlb_pool.web", "pool/new": "auditlb_pool.web"}, 0},
		{"moved: the one that stays", planOf(
			plannedResource("auditlb_pool.gone", "auditlb_pool", `{"actions":["delete"],"before":{"name":"web"},"after":null}`),
			plannedResource("auditlb_pool.stays", "auditlb_pool", create)), map[string]string{"pool/web": "auditlb_pool.stays"}, 0},
		{"a name not known", planOf(plannedResource("auditlb_pool.web", "auditlb_pool", `{"actions":["create"],"before":null,"after":{"owner":"x"},"after_unknown":{"name":true}}`)), map[string]string{}, 1},
		{"a name that is secret", planOf(plannedResource("auditlb_pool.web", "auditlb_pool", `{"actions":["create"],"before":null,"after":{"name":"web"},"after_sensitive":{"name":true}}`)), map[string]string{}, 1},
		{"all of it secret", planOf(plannedResource("auditlb_pool.web", "auditlb_pool", `{"actions":["create"],"before":null,"after":{"name":"web"},"after_sensitive":true}`)), map[string]string{}, 1},
		{"a name that can't be", planOf(plannedResource("auditlb_pool.web", "auditlb_pool", `{"actions":["create"],"before":null,"after":{"name":"A B"}}`)), map[string]string{}, 1},
		{"another provider's, a data source, no object", planOf(foreign, data, plannedResource("auditlb_audit_anchor.a", "auditlb_audit_anchor", create), "null"), map[string]string{}, 0},
		{"nothing", planOf(), map[string]string{}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, nameless, err := addressesIn([]byte(tt.plan))
			if err != nil || !maps.Equal(got, tt.want) || nameless != tt.nameless {
				t.Errorf("%q with %d nameless, %v; want %q with %d", got, nameless, err, tt.want, tt.nameless)
			}
		})
	}
}

// FuzzAddressesInAPlan: whatever the file holds, what comes out are addresses.
func FuzzAddressesInAPlan(f *testing.F) {
	f.Add(planOf(plannedResource("auditlb_pool.web", "auditlb_pool", `{"actions":["create"],"after":{"name":"web"},"after_sensitive":false}`)))
	f.Add(`{"format_version":"1.2","resource_changes":[{"change":{"after":[]}},null]}`)
	f.Add(`{"format_version":"9"}`)
	f.Add("PK\x03\x04")
	f.Fuzz(func(t *testing.T, plan string) {
		addresses, _, err := addressesIn([]byte(plan))
		for object := range addresses {
			if kind, _, ok := strings.Cut(object, "/"); err != nil || !ok || kind == "" {
				t.Errorf("%q, %v", object, err)
			}
		}
	})
}

// TestAPlanLeavesNoTraceOfItsSecrets: neither in the log, nor in what is sent, printed or
// logged, and not when it can't be read either.
func TestAPlanLeavesNoTraceOfItsSecrets(t *testing.T) {
	const secret = "hunter2-do-not-keep"
	rt := runtimetest.Start(t)
	if _, err := rt.Client(t, client.Config{}).RegisterRun(t.Context(), "run", api.RunClaims{System: "local"}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AUDITLB_ENDPOINT", rt.Endpoint)
	t.Setenv("AUDITLB_TOKEN", rt.Tokens[identity.Operator])
	resource := plannedResource("auditlb_pool.web", "auditlb_pool", `{"actions":["create"],"before":null,"after":{"name":"web","owner":"`+secret+`"}}`)
	good := strings.Replace(planOf(resource), `{`, `{"variables":{"p":{"value":"`+secret+`"}},"planned_values":{"outputs":{"o":{"value":"`+secret+`","sensitive":true}}},`, 1)
	printed := ""
	attach := func(content string, code int) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "plan.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		root := newRoot()
		root.SetArgs([]string{"run", "attach", "run", "--plan-json", file, "-o", "json"})
		root.SetOut(&out)
		root.SetErr(&out)
		err := root.ExecuteContext(t.Context())
		if got := report(err); got != code {
			t.Fatalf("exit code %d, want %d: %v", got, code, err)
		}
		printed += fmt.Sprint(out.String(), err)
	}
	attach(good, exitOK)
	for _, bad := range []string{
		good[:len(good)-1], good + good, strings.Replace(good, `"1.2"`, `"`+secret+`"`, 1), strings.Replace(good, `"managed"`, `{"`+secret+`":1}`, 1),
		strings.Replace(good, `"name":"x"`, `"name":`+strings.Repeat("7", 40), 1), secret, "PK" + secret,
	} {
		attach(bad, exitUsage)
	}
	kept := rt.Entries(t, api.EntryQuery{Run: "run", Type: "run"})
	if len(kept) != 2 || kept[1].Resource != "addresses/run" {
		t.Fatalf("kept %+v", kept)
	}
	if strings.Contains(printed, secret) {
		t.Errorf("it is printed:\n%s", printed)
	}
	if strings.Contains(rt.Logs.String(), secret) {
		t.Error("it is logged")
	}
	if err := filepath.WalkDir(rt.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("it is in %s", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
