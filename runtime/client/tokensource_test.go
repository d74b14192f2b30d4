package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// program writes a shell script that stands for a CI's program.
func program(t *testing.T, name, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script")
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustGive(t *testing.T, source client.TokenSource, want string) {
	t.Helper()
	got, err := source.IDToken(t.Context())
	if err != nil || got.Reveal() != want {
		t.Errorf("got %q, %v, want %q", got.Reveal(), err, want)
	}
}

func TestAFileIsReadEachTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	source := client.File(path)
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		mustGive(t, source, token)
	}
}

func TestAProjectedTokenIsReadThroughItsLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte("projected"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "token")
	if err := os.Symlink("data", link); err != nil {
		t.Skip(err)
	}
	mustGive(t, client.File(link), "projected")
}

func TestFilesThatHoldNoToken(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, []byte(strings.Repeat("signature-of", client.MaxIDTokenBytes)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ path, want string }{
		"absent":    {filepath.Join(dir, "absent"), "no such file"},
		"too large": {large, "larger than 65536 bytes"},
		"directory": {dir, "not a regular file"},
		"endless":   {"/dev/zero", "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(tc.path); name == "endless" && err != nil {
				t.Skip(err)
			}
			token, err := client.File(tc.path).IDToken(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || token != "" {
				t.Errorf("got %q, %v, want %q", token.Reveal(), err, tc.want)
			}
			noSecretIn(t, shown(err))
		})
	}
}

func TestACommandIsRunWithoutAShell(t *testing.T) {
	echo := program(t, "agent", `for a in "$@"; do echo "[$a]"; done; echo noise >&2`)
	mustGive(t, client.Command(echo, "$(id)", "a b; exit 1", "*"), "[$(id)]\n[a b; exit 1]\n[*]")
}

func TestCommandsThatGiveNoToken(t *testing.T) {
	for name, tc := range map[string]struct {
		script, want string
		timeout      time.Duration
	}{
		"failure":        {"echo signature-of; echo signature-of >&2; exit 3", "agent: exit status 3", time.Minute},
		"endless":        {"while :; do echo signature-of-an-endless-token; done", "printed more than 65536 bytes", time.Minute},
		"slow":           {"exec sleep 60", "deadline exceeded", 200 * time.Millisecond},
		"slow offspring": {"sleep 60 & wait", "deadline exceeded", 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tc.timeout)
			defer cancel()
			start := time.Now()
			token, err := client.Command(program(t, "agent", tc.script)).IDToken(ctx)
			if err == nil || !strings.Contains(err.Error(), tc.want) || token != "" {
				t.Errorf("got %q, %v, want %q", token.Reveal(), err, tc.want)
			}
			noSecretIn(t, shown(err))
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	if _, err := client.Command(filepath.Join(t.TempDir(), "absent")).IDToken(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that isn't there: got %v", err)
	}
}

func TestTheEnvironmentOffersAToken(t *testing.T) {
	const audience = "https://lb.example.com"
	ours, theirs := jwt(`{"aud":["x","https://lb.example.com"]}`), jwt(`{"aud":"https://sts.example.com"}`)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-a-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	agent := program(t, "buildkite-agent", `echo "$*"`)
	t.Setenv("PATH", filepath.Dir(agent)+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, tc := range map[string]struct {
		env         map[string]string
		description string
		// want is the token, or wantErr the error in its place.
		want    string
		wantErr error
	}{
		"a variable before all else": {
			env:         map[string]string{"AUDITLB_ID_TOKEN": theirs, "AUDITLB_ID_TOKEN_FILE": file, "TFC_WORKLOAD_IDENTITY_TOKEN": ours},
			description: "AUDITLB_ID_TOKEN", want: theirs,
		},
		"a file before the CI": {
			env:         map[string]string{"AUDITLB_ID_TOKEN_FILE": file, "TFC_WORKLOAD_IDENTITY_TOKEN": ours},
			description: "the file " + file + " (AUDITLB_ID_TOKEN_FILE)", want: "from-a-file",
		},
		"HCP Terraform's own for us": {
			env:         map[string]string{"TFC_WORKLOAD_IDENTITY_TOKEN_AUDITLB": theirs, "TFC_WORKLOAD_IDENTITY_TOKEN": ours},
			description: "HCP Terraform (TFC_WORKLOAD_IDENTITY_TOKEN_AUDITLB)", want: theirs,
		},
		"HCP Terraform": {
			env:         map[string]string{"TFC_WORKLOAD_IDENTITY_TOKEN": ours, "CIRCLE_OIDC_TOKEN": theirs},
			description: "HCP Terraform (TFC_WORKLOAD_IDENTITY_TOKEN)", want: ours,
		},
		"HCP Terraform for a cloud": {
			env:         map[string]string{"TFC_WORKLOAD_IDENTITY_TOKEN": theirs},
			description: "HCP Terraform (TFC_WORKLOAD_IDENTITY_TOKEN)", wantErr: client.ErrAudience,
		},
		"Spacelift": {
			env:         map[string]string{"SPACELIFT_OIDC_TOKEN": ours},
			description: "Spacelift (SPACELIFT_OIDC_TOKEN)", want: ours,
		},
		"Bitbucket": {
			env:         map[string]string{"BITBUCKET_STEP_OIDC_TOKEN": ours},
			description: "Bitbucket (BITBUCKET_STEP_OIDC_TOKEN)", want: ours,
		},
		"CircleCI's second version first": {
			env:         map[string]string{"CIRCLE_OIDC_TOKEN_V2": ours, "CIRCLE_OIDC_TOKEN": theirs},
			description: "CircleCI (CIRCLE_OIDC_TOKEN_V2)", want: ours,
		},
		"CircleCI": {
			env:         map[string]string{"CIRCLE_OIDC_TOKEN": theirs},
			description: "CircleCI (CIRCLE_OIDC_TOKEN)", wantErr: client.ErrAudience,
		},
		"Buildkite": {
			env:         map[string]string{"BUILDKITE_BUILD_ID": "b-1"},
			description: "Buildkite (buildkite-agent)", want: "oidc request-token --claim build_id --audience https://lb.example.com",
		},
		"GitHub without permission": {env: map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://example.com"}},
		"GitLab's job token":        {env: map[string]string{"CI_PIPELINE_ID": "1", "CI_JOB_JWT": ours, "CI_JOB_TOKEN": ours}},
		"nothing":                   {},
	} {
		t.Run(name, func(t *testing.T) {
			source, description, ok := client.Detect(func(name string) string { return tc.env[name] }, audience)
			if ok != (tc.description != "") || description != tc.description {
				t.Fatalf("got %q, %t, want %q", description, ok, tc.description)
			}
			if !ok {
				return
			}
			token, err := source.IDToken(t.Context())
			if token.Reveal() != tc.want || !errors.Is(err, tc.wantErr) || (err == nil) != (tc.wantErr == nil) {
				t.Errorf("got %q, %v, want %q, %v", token.Reveal(), err, tc.want, tc.wantErr)
			}
			noSecretIn(t, description+shown(err))
		})
	}
}

// Without the build's id in the token the run could not be verified.
func TestBuildkiteIsAskedForTheBuild(t *testing.T) {
	t.Setenv("PATH", filepath.Dir(program(t, "buildkite-agent", `for a in "$@"; do echo "[$a]"; done`)))
	env := func(name string) string { return map[string]string{"BUILDKITE_BUILD_ID": "b-1"}[name] }
	for audience, want := range map[string]string{
		"":    "[oidc]\n[request-token]\n[--claim]\n[build_id]",
		"a b": "[oidc]\n[request-token]\n[--claim]\n[build_id]\n[--audience]\n[a b]",
	} {
		source, _, ok := client.Detect(env, audience)
		if !ok {
			t.Fatal("found nothing")
		}
		mustGive(t, source, want)
	}
}

func TestOnlyWhatIsForUsIsHandedOver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a variable":     {map[string]string{"AUDITLB_ID_TOKEN": "a.b.c", "AUDITLB_ID_TOKEN_FILE": file}, "AUDITLB_ID_TOKEN"},
		"a file":         {map[string]string{"AUDITLB_ID_TOKEN_FILE": file}, "the file " + file + " (AUDITLB_ID_TOKEN_FILE)"},
		"the CI's":       {map[string]string{"TFC_WORKLOAD_IDENTITY_TOKEN_AUDITLB": "a.b.c", "CIRCLE_OIDC_TOKEN": "a.b.c"}, ""},
		"nothing at all": {nil, ""},
	} {
		_, got, ok := client.HandedOver(func(variable string) string { return tc.env[variable] })
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s: got %q, %t, want %q", name, got, ok, tc.want)
		}
	}
}

func TestBuildkiteNeedsItsProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, description, ok := client.Detect(func(name string) string { return map[string]string{"BUILDKITE_BUILD_ID": "b-1"}[name] }, "a"); ok {
		t.Errorf("found %s", description)
	}
}

func TestTheAudienceIsTheEndpointsOrigin(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://lb.example.com:8443":  "https://lb.example.com:8443",
		"https://LB.example.com:443/x": "https://lb.example.com",
		"HTTP://127.0.0.1:80":          "http://127.0.0.1",
		"http://[::1]:9443/":           "http://[::1]:9443",
		"https://lb.example.com:80":    "https://lb.example.com:80",
		"lb.example.com":               "",
		"":                             "",
	} {
		if got := client.Audience(endpoint); got != want {
			t.Errorf("%q: got %q, want %q", endpoint, got, want)
		}
	}
}
