package console_test

import (
	"os/exec"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

func TestOnlyWebPagesAreLinkedTo(t *testing.T) {
	for text, linked := range map[string]bool{
		"https://ci.example/run/1?a=b#c": true, "http://ci.example": true,
		"javascript:alert(1)": false, "JavaScript://x/%0aalert(1)": false, "data:text/html,x": false, "//ci.example/": false, "/console/": false, "ftp://x/": false, "": false, "https:ci.example": false, "https://": false,
	} {
		if got := console.External(text); got != "" != linked {
			t.Errorf("%q is linked as %q", text, got)
		}
	}
}

// TestACopiedCommandHasTheArgumentThatItShows asks a real shell.
func TestACopiedCommandHasTheArgumentThatItShows(t *testing.T) {
	for _, argument := range []string{"github/acme/infra/123/1", "a b", "$(touch x)", "`id`", "it's", "'; rm -rf ~ #", `"\`, "-x", "", "a\nb", "*"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+console.Shell(argument)).Output()
		if err != nil || string(out) != argument {
			t.Errorf("%q becomes %q, %v", argument, out, err)
		}
	}
}
