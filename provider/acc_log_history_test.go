package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

const anchor = `
resource "auditlb_audit_anchor" "log" {}
`

// follower is a workspace that finds the runtime again after it moved to another
// port.
type follower struct {
	*acctest.Workspace
	base, extra []string
}

func follow(t *testing.T, rt *acctest.Runtime, config string) *follower {
	t.Helper()
	w := &follower{Workspace: acctest.NewWorkspace(t, rt.Settings()...)}
	w.base = w.Env
	w.Write(t, "main.tf", config)
	return w
}

// at is the workspace with the runtime where it is now.
func (w *follower) at(rt *acctest.Runtime) *acctest.Workspace {
	w.Env = slices.Concat(w.base, rt.Settings(), w.extra)
	return w.Workspace
}

// squeezed is what terraform printed, without its frames and line breaks.
func squeezed(out string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(out)), " ")
}

// refuses runs terraform, which must fail and say something.
func refuses(t *testing.T, w *acctest.Workspace, says string, args ...string) {
	t.Helper()
	out, err := w.Run(t, args...)
	if err == nil || !strings.Contains(squeezed(out), says) {
		t.Errorf("terraform %s: %v; want %q in\n%s", strings.Join(args, " "), err, says, out)
	}
}

const (
	planCommand = "plan"
	plainOutput = "-no-color"
)

// TestAccAStateIsAWitnessOfTheLog: what a state saw of the log must still be there.
func TestAccAStateIsAWitnessOfTheLog(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	first := follow(t, rt, poolWeb(1))
	first.MustRun(t, "apply", "-auto-approve", plainOutput)
	backup := rt.Backup(t)
	if out := first.at(rt).MustRun(t, planCommand, plainOutput, "-detailed-exitcode"); !strings.Contains(out, "No changes") {
		t.Fatalf("nothing changed, and the plan says\n%s", out)
	}
	// The second workspace sees more than the backup has.
	second := follow(t, rt, strings.ReplaceAll(poolWeb(2), "web", "api")+anchor)
	second.MustRun(t, "apply", "-auto-approve", plainOutput)
	if out := second.MustRun(t, planCommand, plainOutput, "-detailed-exitcode"); !strings.Contains(out, "No changes") {
		t.Fatalf("nothing changed, and the plan says\n%s", out)
	}

	rt.Restore(t, backup, runtimetest.ForgetLastSeen)
	t.Run("rolled back", func(t *testing.T) {
		refuses(t, second.at(rt), "The change log is not the one that was seen before", planCommand, plainOutput)
		refuses(t, second.at(rt), "The change log was rolled back", planCommand, plainOutput, "-refresh-only")
	})
	t.Run("a state that saw no more than the backup has goes on", func(t *testing.T) {
		first.at(rt).MustRun(t, planCommand, plainOutput, "-detailed-exitcode")
	})
	for i := range 40 {
		rt.Token(t, fmt.Sprintf("someone-%d", i), "viewer") // the log grows past what was seen
	}
	t.Run("rewritten", func(t *testing.T) {
		refuses(t, second.at(rt), "The change log was rewritten", planCommand, plainOutput)
	})
	t.Run("rewritten, with no refresh", func(t *testing.T) {
		refuses(t, second.at(rt), "The change log was rewritten", planCommand, plainOutput, "-refresh=false")
	})
	t.Run("an anchor outlasts what is destroyed", func(t *testing.T) {
		third := follow(t, rt, poolWeb(1)+anchor)
		third.Write(t, "terraform.tfstate", second.Read(t, "terraform.tfstate"))
		third.Write(t, "main.tf", anchor)
		third.MustRun(t, "state", "rm", "auditlb_pool.api")
		refuses(t, third.at(rt), "The change log was rewritten", planCommand, plainOutput)
	})
}

// TestAccARestartOfTheLogIsToldAndCanBeAccepted: a legitimate restore.
func TestAccARestartOfTheLogIsToldAndCanBeAccepted(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := follow(t, rt, poolWeb(1)+anchor)
	w.MustRun(t, "apply", "-auto-approve", plainOutput)
	backup := rt.Backup(t)
	rt.Token(t, "someone", "viewer")
	w.Write(t, "main.tf", poolWeb(2)+anchor)
	w.at(rt).MustRun(t, "apply", "-auto-approve", plainOutput)

	var key string
	rt.Restore(t, backup, func(t testing.TB, r *runtimetest.Runtime) {
		config := daemon.Config{DataDir: r.Dir, Log: &daemon.Log{MinFreeBytes: -1}}
		if _, _, err := daemon.OpenLog(t.Context(), config); err == nil || !strings.Contains(err.Error(), "rolled back") {
			t.Errorf("the node itself starts on it: %v", err)
		}
		change, err := daemon.RestartLog(t.Context(), config, daemon.Restart{Reason: "restored the backup, INC-77"})
		if err != nil {
			t.Fatal(err)
		}
		key = change.PublicKey
	})
	refuses(t, w.at(rt), "The change log was restarted", planCommand, plainOutput)
	refuses(t, w.at(rt), "restored the backup, INC-77", planCommand, plainOutput)
	w.extra = append(w.extra, "AUDITLB_LOG_PUBLIC_KEY="+key)
	if out := w.at(rt).MustRun(t, planCommand, plainOutput); !strings.Contains(out, "1 to change") {
		t.Errorf("the lost change is not planned again:\n%s", out)
	}
	w.at(rt).MustRun(t, "apply", "-auto-approve", plainOutput)
	w.extra = nil
	refuses(t, w.at(rt), "The change log was restarted", planCommand, plainOutput) // the anchor did not move
}

// TestAccAChangeOfTheLogsKeyIsFollowed: both keys vouch for it, so nobody has to do anything.
func TestAccAChangeOfTheLogsKeyIsFollowed(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	old := strings.TrimSpace(readFile(t, filepath.Join(rt.Dir, daemon.PublicKeyName)))
	w := follow(t, rt, poolWeb(1)+anchor)
	w.MustRun(t, "apply", "-auto-approve", plainOutput)
	for range 2 {
		rt.Restart(t, func(t testing.TB, r *runtimetest.Runtime) {
			if _, err := daemon.RotateLogKey(t.Context(), daemon.Config{DataDir: r.Dir, Log: &daemon.Log{MinFreeBytes: -1}}, "yearly"); err != nil {
				t.Fatal(err)
			}
		})
	}
	if now := strings.TrimSpace(readFile(t, filepath.Join(rt.Dir, daemon.PublicKeyName))); now == old {
		t.Fatal("the key is the same")
	}
	w.at(rt).MustRun(t, planCommand, plainOutput, "-detailed-exitcode")
	w.extra = []string{"AUDITLB_LOG_PUBLIC_KEY=" + old}
	w.at(rt).MustRun(t, planCommand, plainOutput, "-detailed-exitcode")
	other := acctest.Start(t)
	w.extra = []string{"AUDITLB_LOG_PUBLIC_KEY=" + other.Daemon.Controller.PublicKey()}
	refuses(t, w.at(rt), "The change log is not signed by a trusted key", planCommand, plainOutput)

	// A log that is another one altogether, at the same endpoint.
	w.extra = nil
	refuses(t, w.at(other), "The change log is not signed by a trusted key", planCommand, plainOutput)
}

// TestAccACheckpointCanBePinnedInTheOpen uses the data source.
func TestAccACheckpointCanBePinnedInTheOpen(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	config := func(contains string) string {
		return fmt.Sprintf(`
variable "kept" { default = null }
data "auditlb_checkpoint" "now" { contains = var.kept }
output "checkpoint" { value = data.auditlb_checkpoint.now.checkpoint }
output "size" { value = data.auditlb_checkpoint.now.size }
%s`, contains)
	}
	w := follow(t, rt, config(""))
	w.MustRun(t, "apply", "-auto-approve", plainOutput)
	kept := w.MustRun(t, "output", "-raw", "checkpoint")
	backup := rt.Backup(t)
	w.extra = []string{"TF_VAR_kept=" + kept}
	w.at(rt).MustRun(t, "apply", "-auto-approve", plainOutput)
	for i := range 3 {
		rt.Token(t, fmt.Sprintf("someone-%d", i), "viewer")
	}
	w.at(rt).MustRun(t, "apply", "-auto-approve", plainOutput)
	later := w.MustRun(t, "output", "-raw", "checkpoint")
	rt.Restore(t, backup, runtimetest.ForgetLastSeen)
	w.at(rt).MustRun(t, planCommand, plainOutput)
	w.extra = []string{"TF_VAR_kept=" + later}
	refuses(t, w.at(rt), "The change log was rolled back", planCommand, plainOutput)
	w.extra = []string{"TF_VAR_kept=something else"}
	refuses(t, w.at(rt), "Not a checkpoint of this log", planCommand, plainOutput)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
