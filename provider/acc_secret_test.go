package provider_test

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

const certificateFromVariables = `
variable "chain" {
  type = string
}

variable "private_key" {
  type      = string
  ephemeral = true
}

resource "auditlb_certificate" "site" {
  name           = "site"
  owner          = "edge"
  chain_pem      = var.chain
  private_key_wo = var.private_key
}
`

func TestAccPrivateKeyReachesNoFileLogOrEntry(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	chain, key := acctest.KeyPair(t, "app.example.com")
	// One line of the key's base64, which no encoding of line breaks changes.
	secret := strings.Split(key, "\n")[1]
	w := acctest.NewWorkspace(t, append(rt.Settings(), "TF_VAR_private_key="+key, "TF_VAR_chain="+chain, "TF_LOG_PROVIDER=TRACE", "TF_LOG_PATH=provider.log")...)
	w.Write(t, "main.tf", certificateFromVariables)
	outputs := []string{
		w.MustRun(t, "plan", "-out=plan", "-no-color"),
		w.MustRun(t, "show", "-json", "plan"),
		w.MustRun(t, "apply", "-no-color", "plan"),
		w.MustRun(t, "show", "-json"),
		w.MustRun(t, "plan", "-detailed-exitcode", "-no-color"),
	}

	// Another key for the same chain is refused without being repeated, and so
	// is a new key that the chain doesn't belong to.
	otherChain, otherKey := acctest.KeyPair(t, "app.example.com")
	w.Env = append(w.Env, "TF_VAR_private_key="+otherKey)
	out, err := w.Run(t, "plan", "-no-color")
	if err == nil || !says("does not match the chain's leaf").MatchString(out) {
		t.Errorf("a key that isn't the chain's was planned: %v\n%s", err, out)
	}
	outputs = append(outputs, out)

	// A rotation needs no raised version: the chain says that the key is new.
	w.Env = append(w.Env, "TF_VAR_chain="+otherChain)
	out = w.MustRun(t, "apply", "-auto-approve", "-no-color")
	if !strings.Contains(out, "~ fingerprint") {
		t.Errorf("the plan doesn't show the new key:\n%s", out)
	}
	outputs = append(outputs, out)

	secrets := []string{secret, strings.Split(otherKey, "\n")[1]}
	for i, out := range outputs {
		wantNone(t, secrets, "output "+string(rune('a'+i)), []byte(out))
	}
	entries, err := rt.Client(t, client.Config{}).Entries(t.Context(), api.EntryQuery{Limit: api.MaxPageSize, IncludePatch: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range entries.Items {
		entry, err := rt.Client(t, client.Config{}).Entry(t.Context(), item.Seq)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		wantNone(t, secrets, "entry", text)
	}
	searched := 0
	err = filepath.WalkDir(w.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		searched++
		wantNone(t, append(secrets, rt.Operator), d.Name(), content)
		for name, content := range unzip(t, content) {
			searched++
			wantNone(t, append(secrets, rt.Operator), d.Name()+"/"+name, content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if searched < 8 {
		t.Errorf("searched %d files; the plan's parts, the state and the log must be among them", searched)
	}
}

func wantNone(t *testing.T, secrets []string, where string, content []byte) {
	t.Helper()
	for _, secret := range secrets {
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("a secret is in %s", where)
		}
	}
}

// unzip returns the parts of a plan file; none for what isn't an archive.
func unzip(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil
	}
	parts := map[string][]byte{}
	for _, file := range archive.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		if parts[file.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return parts
}

func TestAccPlanAndApplyOfOneCommandAreOneRun(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := acctest.NewWorkspace(t, rt.Settings()...)
	w.Write(t, "main.tf", poolWeb(1))
	w.MustRun(t, "apply", "-auto-approve", "-no-color")
	w.Write(t, "main.tf", poolWeb(2))
	w.MustRun(t, "apply", "-auto-approve", "-no-color")

	runs := map[string]bool{}
	entries := rt.Entries(t, api.EntryQuery{Resource: "pool/web"})
	if got, want := strings.Join(brief(entries), ", "), "plan create pool/web, apply create pool/web, plan update pool/web, apply update pool/web"; got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	for i := 0; i < len(entries); i += 2 {
		plan, apply := entries[i], entries[i+1]
		if plan.Run == nil || apply.Run == nil || plan.Run.ID != apply.Run.ID || apply.Plan != plan.Seq {
			t.Errorf("plan %d of run %v, apply %d of run %v fulfils %d", plan.Seq, plan.Run, apply.Seq, apply.Run, apply.Plan)
			continue
		}
		runs[plan.Run.ID] = true
	}
	if len(runs) != 2 {
		t.Errorf("two commands are %d runs: %v", len(runs), runs)
	}
}

func TestAccOnePipelineMayHaveTwoTokens(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	pipeline := []string{"GITHUB_RUN_ID=7", "GITHUB_RUN_ATTEMPT=1", "GITHUB_REPOSITORY=acme/edge", "GITHUB_TRIGGERING_ACTOR=alice"}
	w := acctest.NewWorkspace(t, append(pipeline, "AUDITLB_ENDPOINT="+rt.Endpoint)...)
	w.Write(t, "main.tf", poolWeb(1))
	env := w.Env
	w.Env = slices.Concat(env, []string{"AUDITLB_TOKEN=" + rt.Token(t, "paula", "planner")})
	w.MustRun(t, "plan", "-out=plan", "-no-color")
	w.Env = slices.Concat(env, []string{"AUDITLB_TOKEN=" + rt.Operator, "AUDITLB_CHANGE_TICKET=" + rt.Ticket})
	w.MustRun(t, "apply", "-no-color", "plan")

	const run = "github/acme/edge/7/1"
	wantEntries(t, rt, api.EntryQuery{Run: run}, "run register run/"+run, "plan create pool/web", "apply create pool/web")
	got, err := rt.Client(t, client.Config{}).Run(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if c := got.Claims; c.System != "github" || c.Actor != "alice" || c.Repository != "acme/edge" || c.ToolVersion == "" {
		t.Errorf("claims: %+v", c)
	}
	if got.Counts != (api.RunCounts{Planned: 1, Applied: 1}) {
		t.Errorf("counts: %+v", got.Counts)
	}
}
