package tfconfig_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/tfconfig"
)

// object is an object as the API has it: with every default.
func object(t testing.TB, address, text string) tfconfig.Object {
	t.Helper()
	a, err := lb.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := lb.Decode(a.Kind, []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if vs := obj.Validate(); len(vs) > 0 {
		t.Fatalf("%s: %v", text, vs)
	}
	encoded, err := lb.Encode(obj)
	if err != nil {
		t.Fatal(err)
	}
	return tfconfig.Object{Address: a, Encoded: encoded}
}

func written(t testing.TB, imports bool, objects ...tfconfig.Object) string {
	t.Helper()
	text, err := tfconfig.Write(objects, imports)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// samples are objects of every kind, plain and with about everything.
func samples(t testing.TB) map[string]tfconfig.Object {
	chain, _ := runtimetest.KeyPair(t, "shop.example.com")
	certificate, err := json.Marshal(map[string]any{"owner": "team-shop", "chain_pem": chain, "private_key_version": 3})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]tfconfig.Object{}
	for name, of := range map[string][2]string{
		"least pool": {"pool/web", `{"owner":"team-web"}`},
		"pool": {"pool/web", `{"owner":"team-web","labels":{"a/b":"${x}","tier":"gold %{if}"},"algorithm":"ring_hash","hash_key":{"source":"header","name":"X-User"},
			"slow_start":"30s","members":{"a":{"address":"10.0.0.1:80","weight":9},"b-1":{"address":"[2001:db8::1]:80","backup":true,"state":"drain"}},
			"health_check":{},"outlier_detection":{"max_ejected_percent":50},"retries":{"attempts":4,"on":["reset","503"]},"limits":{"max_pending":5}}`},
		"listener":         {"listener/https", `{"owner":"edge","port":443,"address":"127.0.0.1","protocol":"https","certificates":["a","b"],"default_certificate":"a","tls":{"min_version":"1.3"},"allowed_cidrs":["10.0.0.0/8"]}`},
		"forwarding route": {"route/shop", `{"owner":"team-shop","listener":"https","priority":5,"match":{"hosts":["shop.example.com"],"path_prefix":"/","headers":{"x-a":{"type":"present"}}},"action":{"forward":{"web":{"weight":9},"web_next":{}}},"response_headers":{"set":{"strict-transport-security":"max-age=1"},"remove":["server"]}}`},
		"answering route":  {"route/down", `{"owner":"team-shop","listener":"https","action":{"fixed_response":{"status":503,"body":"Back soon.\n\"quotes\" and \\ and ünïcode\n"}}}`},
		"certificate":      {"certificate/shop", string(certificate)},
		"freeze":           {"freeze/weekends", `{"owner":"sre","reason":"The shop is busiest then.","begin":"2026-01-02T18:00:00+01:00","end":"2026-01-05T06:00:00+01:00","recurrence":"FREQ=WEEKLY;BYDAY=FR","time_zone":"Europe/Berlin"}`},
		"policy":           {"policy/changes", `{"owner":"security","rules":{"two-people":{"when":"change.kind == 'listener'","require":"ticket.approvals.size() >= 2","message":"Two people."}},"authority_grace":"15m"}`},
	} {
		out[name] = object(t, of[0], of[1])
	}
	return out
}

// TestWhatIsWrittenDeclaresTheSameObject reads the configuration as Terraform does and
// makes the object of it.
func TestWhatIsWrittenDeclaresTheSameObject(t *testing.T) {
	for name, o := range samples(t) {
		t.Run(name, func(t *testing.T) {
			text := written(t, true, o)
			file, diags := hclsyntax.ParseConfig([]byte(text), "it.tf", hcl.InitialPos)
			if diags.HasErrors() {
				t.Fatalf("%v\n%s", diags, text)
			}
			found := false
			for _, block := range file.Body.(*hclsyntax.Body).Blocks {
				if block.Type != "resource" {
					continue
				}
				found = true
				if block.Labels[0] != tfconfig.ResourceType(o.Address.Kind) {
					t.Errorf("a %s", block.Labels[0])
				}
				declared := map[string]jsontext.Value{}
				for attribute, a := range block.Body.Attributes {
					if attribute == "private_key_wo" {
						continue
					}
					v, diags := a.Expr.Value(nil)
					if diags.HasErrors() {
						t.Fatalf("%s: %v", attribute, diags)
					}
					b, err := ctyjson.Marshal(v, v.Type())
					if err != nil {
						t.Fatal(err)
					}
					declared[strings.Replace(attribute, "private_key_wo_version", "private_key_version", 1)] = b
				}
				if string(declared["name"]) != `"`+o.Address.Name+`"` {
					t.Errorf("name %s", declared["name"])
				}
				delete(declared, "name")
				b, err := json.Marshal(declared)
				if err != nil {
					t.Fatal(err)
				}
				if got := object(t, o.Address.String(), string(b)); string(got.Encoded) != string(o.Encoded) {
					t.Errorf("declares\n%s\nwant\n%s\nin\n%s", got.Encoded, o.Encoded, text)
				}
			}
			if !found {
				t.Errorf("no resource in\n%s", text)
			}
		})
	}
}

// TestOnlyWhatMatters is written: defaults, and what follows from a certificate's chain, are not.
func TestOnlyWhatMattersIsWritten(t *testing.T) {
	all := samples(t)
	if got, want := written(t, false, all["least pool"]), "resource \"auditlb_pool\" \"web\" {\n  name  = \"web\"\n  owner = \"team-web\"\n}\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	text := written(t, false, all["certificate"])
	for _, absent := range []string{"fingerprint", "not_after", "dns_names", "issuer", "labels", "import"} {
		if strings.Contains(text, absent) {
			t.Errorf("%s is written:\n%s", absent, text)
		}
	}
	for _, part := range []string{"ephemeral   = true", "sensitive   = true", "private_key_wo         = var.shop_private_key", "private_key_wo_version = 3"} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is not written:\n%s", part, text)
		}
	}
}

// TestALargePoolIsWrittenAsASmallOneIs: each member with what is not the default, and that
// within a number of readings that does not grow with the members.
func TestALargePoolIsWrittenAsASmallOneIs(t *testing.T) {
	var members, want strings.Builder
	for i := range 1000 {
		comma := ","
		if i == 0 {
			comma = ""
		}
		switch i % 3 {
		case 0:
			fmt.Fprintf(&members, `%s"m%03d":{"address":"10.0.0.1:%d"}`, comma, i, 1000+i)
			fmt.Fprintf(&want, "    m%03d = {\n      address = \"10.0.0.1:%d\"\n    }\n", i, 1000+i)
		case 1:
			fmt.Fprintf(&members, `%s"m%03d":{"address":"10.0.0.1:%d","weight":%d}`, comma, i, 1000+i, 2+i%200)
			fmt.Fprintf(&want, "    m%03d = {\n      address = \"10.0.0.1:%d\"\n      weight  = %d\n    }\n", i, 1000+i, 2+i%200)
		default:
			fmt.Fprintf(&members, `%s"m%03d":{"address":"10.0.0.1:%d","state":"drain","backup":true}`, comma, i, 1000+i)
			fmt.Fprintf(&want, "    m%03d = {\n      address = \"10.0.0.1:%d\"\n      backup  = true\n      state   = \"drain\"\n    }\n", i, 1000+i)
		}
	}
	got := written(t, false, object(t, "pool/web", `{"owner":"o","members":{`+members.String()+`}}`))
	if want := "resource \"auditlb_pool\" \"web\" {\n  name  = \"web\"\n  owner = \"o\"\n  members = {\n" + want.String() + "  }\n}\n"; got != want {
		t.Errorf("got\n%.2000s\nwant\n%.2000s", got, want)
	}
}

func TestNamesThatCollideGetLabelsOfTheirOwn(t *testing.T) {
	text := written(t, true, object(t, "pool/a.b", `{"owner":"o"}`), object(t, "pool/a_b", `{"owner":"o"}`), object(t, "pool/1", `{"owner":"o"}`), object(t, "freeze/a.b", `{"owner":"o","reason":"It is a test","addresses":["*"],"begin":"2026-01-02T18:00:00Z","end":"2026-01-05T06:00:00Z"}`))
	for _, part := range []string{`"auditlb_pool" "a_b"`, `"auditlb_pool" "a_b_"`, `"auditlb_pool" "_1"`, `"auditlb_freeze_window" "a_b"`, "to = auditlb_pool.a_b_\n", `id = "a_b"`, `id = "a.b"`} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in\n%s", part, text)
		}
	}
}
