package daemon_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
)

// tryStart starts a runtime with a configuration in HCL, and stops it again.
func tryStart(t *testing.T, hcl string) error {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "auditlb.hcl")
	text := "data_dir = \"" + filepath.Join(dir, "data") + "\"\n" + hcl
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := daemon.LoadConfig(path)
	if err != nil {
		return err
	}
	d, err := daemon.Start(t.Context(), c, slog.New(slog.DiscardHandler))
	if err == nil {
		stop(t, d)
	}
	return err
}

const onLoopback = `management { address = "127.0.0.1:0" }` + "\n"

func TestAConfigurationThatIsWrongIsRefusedByBlockAndField(t *testing.T) {
	const (
		github    = "oidc \"github\" {\npreset = \"github\"\naudiences = [\"https://lb\"]\n"
		oneRole   = "role {\nwhen = \"true\"\nrole = \"viewer\"\n}\n"
		authority = "authority \"http\" \"tracker\" {\npattern = \"EXT-[0-9]+\"\nscope = [\"*\"]\nfields = { state = \"/s\" }\n"
		url       = "url = \"https://tracker.example.com/{id}\"\n"
		end       = "}\n"
	)
	for _, tt := range []struct {
		name, hcl string
		// says is what the error has to name: file, block and field, in this order.
		says []string
	}{
		{"no configuration", "}", []string{"auditlb.hcl"}},
		{"an attribute that there is none of", onLoopback + "colour = \"red\"\n", []string{"auditlb.hcl", "colour"}},
		{"address", `management { address = "here" }`, []string{"management.address", "here"}},
		{"a network in the clear", `management { address = "0.0.0.0:0" }`, []string{"management.address", "management.tls"}},
		{"shutdown_timeout", onLoopback + `shutdown_timeout = "soon"`, []string{"shutdown_timeout", "soon"}},
		{"write_back_after that is none", onLoopback + `write_back_after = "soon"`, []string{"write_back_after", "soon"}},
		{"write_back_after too long", onLoopback + `write_back_after = "3m"`, []string{"write_back_after", "3m", "2m0s"}},
		{"write_back_after of nothing", onLoopback + `write_back_after = "0s"`, []string{"write_back_after", "0s"}},

		{"oidc without roles", onLoopback + github + end, []string{`oidc "github"`, "role"}},
		{"oidc preset", onLoopback + "oidc \"ci\" {\npreset = \"jenkins\"\naudiences = [\"x\"]\n" + oneRole + end, []string{`oidc "ci"`, "preset", "jenkins"}},
		{"oidc audiences", onLoopback + "oidc \"ci\" {\npreset = \"github\"\naudiences = []\n" + oneRole + end, []string{`oidc "ci"`, "audiences"}},
		{"console without an issuer", onLoopback + github + "console {\nclient_id = \"https://lb\"\n}\n" + oneRole + end, []string{`oidc "github"`, "console", "issuer"}},
		{"console that tokens are not for", onLoopback + github + "issuer = \"https://id.example.com\"\nconsole {\nclient_id = \"other\"\n}\n" + oneRole + end, []string{`oidc "github"`, "client_id", "other", "audiences"}},
		{"console elsewhere", onLoopback + github + "issuer = \"https://id.example.com\"\nconsole {\nclient_id = \"https://lb\"\nredirect_url = \"https://lb/back\"\n}\n" + oneRole + end, []string{`oidc "github"`, "redirect_url", "https://lb/back", "/console/sign-in/callback"}},
		{"console without its secret", onLoopback + github + "issuer = \"https://id.example.com\"\nconsole {\nclient_id = \"https://lb\"\nclient_secret_file = \"/nowhere/secret\"\n}\n" + oneRole + end, []string{`oidc "github"`, "client_secret_file", "/nowhere/secret"}},
		{"oidc skew", onLoopback + github + "skew = \"a bit\"\n" + oneRole + end, []string{`oidc "github"`, "skew", "a bit"}},
		{"oidc session_ttl", onLoopback + github + "session_ttl = \"1y\"\n" + oneRole + end, []string{`oidc "github"`, "session_ttl", "1y"}},
		{"oidc session_ttl too long", onLoopback + github + "session_ttl = \"100h\"\n" + oneRole + end, []string{`oidc "github"`, "session_ttl", "12h"}},
		{"oidc ca_file", onLoopback + github + "ca_file = \"/nowhere.pem\"\n" + oneRole + end, []string{`oidc "github"`, "ca_file", "/nowhere.pem"}},
		{"oidc condition", onLoopback + github + "role {\nwhen = \"claims.\"\nrole = \"viewer\"\n}\n" + end, []string{`oidc "github"`, "role[0].when"}},
		{"oidc role", onLoopback + github + "role {\nwhen = \"true\"\nrole = \"root\"\n}\n" + end, []string{`oidc "github"`, "role[0].role", "root"}},
		{"oidc scopes", onLoopback + github + "role {\nwhen = \"true\"\nrole = \"viewer\"\nscopes = [\"web\"]\n}\n" + end, []string{`oidc "github"`, "role[0].scopes", "web"}},
		{"oidc twice", onLoopback + github + oneRole + end + github + oneRole + end, []string{`oidc "github"`, "name"}},

		{"certificates without TLS", "management {\naddress = \"127.0.0.1:0\"\nclient_certificate \"ci\" {\nmatch = \"cn:ci\"\nrole = \"viewer\"\n}\n}\n", []string{"management.client_certificate", "client_ca_file"}},
		{"certificates' match", "management {\naddress = \"127.0.0.1:0\"\nclient_certificate \"ci\" {\nmatch = \"ci\"\nrole = \"viewer\"\n}\n}\n", []string{"management", `client_certificate "ci"`, "match"}},
		{"certificates' role", "management {\naddress = \"127.0.0.1:0\"\nclient_certificate \"ci\" {\nmatch = \"cn:ci\"\nrole = \"root\"\n}\n}\n", []string{"management", `client_certificate "ci"`, "role", "root"}},
		{"TLS files", "management {\naddress = \"127.0.0.1:0\"\ntls {\ncert_file = \"/nowhere.pem\"\nkey_file = \"/nowhere.key\"\n}\n}\n", []string{"management.tls", "/nowhere.pem"}},

		{"authority's type", onLoopback + "authority \"spreadsheet\" \"x\" {\nurl = \"https://x\"\nscope = [\"*\"]\n}\n", []string{`authority "x"`, "type", "spreadsheet"}},
		{"authority's url", onLoopback + authority + "url = \"http://tracker.example.com/{id}\"\n" + end, []string{`authority "tracker"`, "url"}},
		{"authority's timeout", onLoopback + authority + url + "timeout = \"soon\"\n" + end, []string{`authority "tracker"`, "timeout", "soon"}},
		{"authority's cache", onLoopback + authority + url + "cache = \"1h\"\n" + end, []string{`authority "tracker"`, "cache", "10m"}},
		{"authority's secret twice", onLoopback + authority + url + "token_file = \"/a\"\ntoken_env = \"B\"\n" + end, []string{`authority "tracker"`, "token_file", "token_env"}},
		{"authority's secret that is not there", onLoopback + authority + url + "token_env = \"NOT_SET_ANYWHERE\"\n" + end, []string{`authority "tracker"`, "token_env", "NOT_SET_ANYWHERE"}},
		{"authority's secret's file", onLoopback + authority + url + "token_file = \"/nowhere\"\n" + end, []string{`authority "tracker"`, "token_file", "/nowhere"}},
		{"authority's states", onLoopback + authority + url + "states = { ok = \"fine\" }\n" + end, []string{`authority "tracker"`, "states", "fine"}},
		{"authority twice", onLoopback + authority + url + end + authority + url + end, []string{`authority "tracker"`, "name"}},
		{"servicenow without credentials", onLoopback + "authority \"servicenow\" \"snow\" {\nurl = \"https://x.service-now.com\"\nscope = [\"*\"]\n}\n", []string{`authority "snow"`, "token"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tryStart(t, tt.hcl)
			if err == nil {
				t.Fatal("it starts")
			}
			rest := err.Error()
			if !strings.Contains(rest, "configuration") && !strings.Contains(rest, "management.tls") {
				t.Errorf("%v: does not say that it is the configuration", err)
			}
			for _, word := range tt.says {
				_, after, found := strings.Cut(rest, word)
				if !found {
					t.Fatalf("%v: does not name %s", err, word)
				}
				rest = after
			}
		})
	}
	if err := tryStart(t, onLoopback+"write_back_after = \"1s\"\n"+github+oneRole+end+authority+url+end); err != nil {
		t.Errorf("a configuration that is right: %v", err)
	}
}
