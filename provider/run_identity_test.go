package provider

import (
	"os"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

var testProcess = processIdentity{Host: "build-7", Parent: 42, Started: "boot 1000", Tool: "terraform"}

func envOf(m map[string]string) environment { return func(name string) string { return m[name] } }

func TestRunIsRecognizedInEveryCI(t *testing.T) {
	for name, tc := range map[string]struct {
		env    map[string]string
		id     string
		claims api.RunClaims
	}{
		"HCP Terraform": {
			env: map[string]string{
				"TFC_RUN_ID": "run-abc", "TFC_WORKSPACE_SLUG": "acme/edge", "TFC_CONFIGURATION_VERSION_GIT_COMMIT_SHA": "c0ffee",
				"TFC_WORKLOAD_IDENTITY_TOKEN": "secret-token",
			},
			id:     "hcp_terraform/acme/edge/run-abc",
			claims: api.RunClaims{System: "hcp_terraform", Commit: "c0ffee", Workspace: "acme/edge"},
		},
		"GitHub Actions": {
			env: map[string]string{
				"GITHUB_RUN_ID": "99", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/edge",
				"GITHUB_ACTOR": "alice", "GITHUB_TRIGGERING_ACTOR": "bob", "GITHUB_SHA": "c0ffee",
				"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret-token",
			},
			id: "github/acme/edge/99/2",
			claims: api.RunClaims{
				System: "github", URL: "https://github.com/acme/edge/actions/runs/99/attempts/2",
				Repository: "acme/edge", Commit: "c0ffee", Attempt: "2", Actor: "bob",
			},
		},
		"GitHub Actions without a triggering actor": {
			env:    map[string]string{"GITHUB_RUN_ID": "99", "GITHUB_REPOSITORY": "acme/edge", "GITHUB_ACTOR": "alice"},
			id:     "github/acme/edge/99",
			claims: api.RunClaims{System: "github", Repository: "acme/edge", Actor: "alice"},
		},
		"GitLab CI": {
			env: map[string]string{
				"CI_PIPELINE_ID": "71", "CI_JOB_ID": "1234", "CI_SERVER_HOST": "gitlab.example.com", "CI_PROJECT_PATH": "acme/edge",
				"CI_PIPELINE_URL": "https://gitlab.example.com/acme/edge/-/pipelines/71", "GITLAB_USER_LOGIN": "alice", "CI_COMMIT_SHA": "c0ffee",
				"CI_JOB_TOKEN": "secret-token",
			},
			id: "gitlab/gitlab.example.com/acme/edge/71",
			claims: api.RunClaims{
				System: "gitlab", URL: "https://gitlab.example.com/acme/edge/-/pipelines/71",
				Repository: "acme/edge", Commit: "c0ffee", Actor: "alice",
			},
		},
		"Jenkins": {
			env: map[string]string{
				"BUILD_TAG": "jenkins-edge deploy-12", "BUILD_URL": "https://ci.example.com/job/edge%20deploy/12/", "BUILD_USER_ID": "alice",
				"GIT_COMMIT": "c0ffee", "GIT_URL": "https://oauth2:secret-token@git.example.com/acme/edge.git",
			},
			id: "jenkins/https://ci.example.com/job/edge%20deploy/12/",
			claims: api.RunClaims{
				System: "jenkins", URL: "https://ci.example.com/job/edge%20deploy/12/",
				Repository: "https://git.example.com/acme/edge.git", Commit: "c0ffee", Actor: "alice",
			},
		},
		"Jenkins without its URL": {
			env:    map[string]string{"BUILD_TAG": "jenkins-edge deploy-12"},
			id:     "jenkins/jenkins-edge_deploy-12",
			claims: api.RunClaims{System: "jenkins"},
		},
		"Azure DevOps": {
			env: map[string]string{
				"BUILD_BUILDID": "512", "SYSTEM_JOBATTEMPT": "1", "BUILD_REQUESTEDFOREMAIL": "alice@example.com", "BUILD_SOURCEVERSION": "c0ffee",
				"SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "edge", "BUILD_REPOSITORY_NAME": "edge-lb",
				"SYSTEM_ACCESSTOKEN": "secret-token",
			},
			id: "azure_devops/https://dev.azure.com/acme/edge/512/1",
			claims: api.RunClaims{
				System: "azure_devops", URL: "https://dev.azure.com/acme/edge/_build/results?buildId=512",
				Repository: "edge-lb", Commit: "c0ffee", Attempt: "1", Actor: "alice@example.com",
			},
		},
		"CircleCI": {
			env: map[string]string{
				"CIRCLE_WORKFLOW_ID": "5f1c", "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/edge/17", "CIRCLE_USERNAME": "alice", "CIRCLE_SHA1": "c0ffee",
				"CIRCLE_REPOSITORY_URL": "git@github.com:acme/edge.git", "CIRCLE_OIDC_TOKEN_V2": "secret-token",
			},
			id: "circleci/5f1c",
			claims: api.RunClaims{
				System: "circleci", URL: "https://circleci.com/gh/acme/edge/17",
				Repository: "github.com:acme/edge.git", Commit: "c0ffee", Actor: "alice",
			},
		},
		"Buildkite": {
			env: map[string]string{
				"BUILDKITE_BUILD_ID": "018f", "BUILDKITE_BUILD_URL": "https://buildkite.com/acme/edge/builds/3", "BUILDKITE_ORGANIZATION_SLUG": "acme",
				"BUILDKITE_PIPELINE_SLUG": "edge", "BUILDKITE_BUILD_AUTHOR_EMAIL": "alice@example.com", "BUILDKITE_UNBLOCKER_EMAIL": "bob@example.com",
				"BUILDKITE_COMMIT": "c0ffee", "BUILDKITE_REPO": "git@github.com:acme/edge.git", "BUILDKITE_AGENT_ACCESS_TOKEN": "secret-token",
			},
			id: "buildkite/acme/edge/018f",
			claims: api.RunClaims{
				System: "buildkite", URL: "https://buildkite.com/acme/edge/builds/3",
				Repository: "github.com:acme/edge.git", Commit: "c0ffee", Actor: "bob@example.com",
			},
		},
		"Bitbucket Pipelines": {
			env: map[string]string{
				"BITBUCKET_PIPELINE_UUID": "{aaaa}", "BITBUCKET_STEP_TRIGGERER_UUID": "{bbbb}", "BITBUCKET_COMMIT": "c0ffee",
				"BITBUCKET_REPO_FULL_NAME": "acme/edge", "BITBUCKET_BUILD_NUMBER": "9", "BITBUCKET_STEP_OIDC_TOKEN": "secret-token",
			},
			id: "bitbucket/acme/edge/{aaaa}",
			claims: api.RunClaims{
				System: "bitbucket", URL: "https://bitbucket.org/acme/edge/pipelines/results/9",
				Repository: "acme/edge", Commit: "c0ffee", Actor: "{bbbb}",
			},
		},
		"Atlantis with its env steps": {
			env: map[string]string{
				"ATLANTIS_TERRAFORM_VERSION": "1.11.4", "PULL_NUM": "31", "PULL_URL": "https://github.com/acme/edge/pull/31", "USER_NAME": "bob",
				"PULL_AUTHOR": "alice", "HEAD_COMMIT": "c0ffee", "BASE_REPO_OWNER": "acme", "BASE_REPO_NAME": "edge", "WORKSPACE": "prod",
				"ATLANTIS_GH_TOKEN": "secret-token",
			},
			id: "atlantis/acme/edge/31/c0ffee",
			claims: api.RunClaims{
				System: "atlantis", URL: "https://github.com/acme/edge/pull/31",
				Repository: "acme/edge", Commit: "c0ffee", Actor: "bob", Workspace: "prod",
			},
		},
		"Atlantis as it comes": {
			env:    map[string]string{"ATLANTIS_TERRAFORM_VERSION": "1.11.4", "WORKSPACE": "default", "DIR": "/x"},
			id:     "atlantis/build-7/" + testProcess.digest(),
			claims: api.RunClaims{System: "atlantis", Workspace: "default"},
		},
		"Spacelift": {
			env: map[string]string{
				"TF_VAR_spacelift_run_id": "01JK", "TF_VAR_spacelift_stack_id": "edge", "TF_VAR_spacelift_account_name": "acme",
				"TF_VAR_spacelift_repository": "acme/edge", "TF_VAR_spacelift_commit_sha": "c0ffee", "TF_VAR_spacelift_run_trigger": "alice",
				"SPACELIFT_OIDC_TOKEN": "secret-token",
			},
			id: "spacelift/acme/edge/01JK",
			claims: api.RunClaims{
				System: "spacelift", URL: "https://acme.app.spacelift.io/stack/edge/run/01JK",
				Repository: "acme/edge", Commit: "c0ffee", Actor: "alice", Workspace: "edge",
			},
		},
		"env0": {
			env: map[string]string{
				"ENV0_DEPLOYMENT_LOG_ID": "ec97", "ENV0_PROJECT_ID": "p1", "ENV0_ENVIRONMENT_ID": "e1", "ENV0_ENVIRONMENT_NAME": "edge",
				"ENV0_DEPLOYER_EMAIL": "alice@example.com", "ENV0_COMMIT_HASH": "c0ffee",
			},
			id: "env0/ec97",
			claims: api.RunClaims{
				System: "env0", URL: "https://app.env0.com/p/p1/environments/e1/deployments/ec97",
				Commit: "c0ffee", Actor: "alice@example.com", Workspace: "edge",
			},
		},
		"Scalr": {
			env: map[string]string{
				"SCALR_RUN_ID": "run-v0p", "SCALR_HOSTNAME": "acme.scalr.io", "SCALR_RUN_VCS_COMMIT": "e59f09e",
				"SCALR_WORKSPACE_NAME": "edge", "SCALR_TERRAFORM_OPERATION": "apply",
			},
			id:     "scalr/acme.scalr.io/run-v0p",
			claims: api.RunClaims{System: "scalr", Commit: "e59f09e", Workspace: "edge", Phase: "apply"},
		},
		"no CI": {
			env:    map[string]string{"TF_WORKSPACE": "staging"},
			id:     "local/build-7/" + testProcess.digest(),
			claims: api.RunClaims{System: "local", Host: "build-7", Workspace: "staging"},
		},
		"Atlantis inside GitHub": {
			env: map[string]string{
				"GITHUB_RUN_ID": "99", "GITHUB_REPOSITORY": "acme/atlantis",
				"ATLANTIS_TERRAFORM_VERSION": "1.11.4", "PULL_NUM": "31", "HEAD_COMMIT": "c0ffee", "BASE_REPO_OWNER": "acme", "BASE_REPO_NAME": "edge",
			},
			id:     "atlantis/acme/edge/31/c0ffee",
			claims: api.RunClaims{System: "atlantis", Repository: "acme/edge", Commit: "c0ffee"},
		},
		"Spacelift worker inside GitLab": {
			env:    map[string]string{"CI_PIPELINE_ID": "71", "CI_PROJECT_PATH": "acme/workers", "TF_VAR_spacelift_run_id": "01JK"},
			id:     "spacelift/01JK",
			claims: api.RunClaims{System: "spacelift"},
		},
		"HCP agent inside Jenkins": {
			env:    map[string]string{"BUILD_TAG": "jenkins-agents-1", "TFC_RUN_ID": "run-abc"},
			id:     "hcp_terraform/run-abc",
			claims: api.RunClaims{System: "hcp_terraform"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := detectRun(runIdentity{}, envOf(tc.env), testProcess)
			if err != nil {
				t.Fatal(err)
			}
			tc.claims.Tool = "terraform"
			if run.ID != tc.id {
				t.Errorf("id: got %q, want %q", run.ID, tc.id)
			}
			if run.Claims != tc.claims {
				t.Errorf("claims:\n got %+v\nwant %+v", run.Claims, tc.claims)
			}
			for _, text := range append(claimFields(&run.Claims), &run.ID) {
				if strings.Contains(*text, "secret-token") {
					t.Errorf("a token leaked: %q", *text)
				}
			}
		})
	}
}

func TestEveryCIHasATest(t *testing.T) {
	source, err := os.ReadFile("run_identity_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range ciSystems {
		if !strings.Contains(string(source), `System: "`+s.system+`"`) {
			t.Errorf("%s has no case", s.system)
		}
	}
}

func TestDeclaredRunWinsOverTheCI(t *testing.T) {
	env := envOf(map[string]string{"GITHUB_RUN_ID": "99", "GITHUB_REPOSITORY": "acme/edge", "GITHUB_ACTOR": "alice", "GITHUB_SHA": "c0ffee"})
	declared := runIdentity{ID: "release-7", Claims: api.RunClaims{Actor: "bob", URL: "https://x:secret@example.com/7"}}
	run, err := detectRun(declared, env, testProcess)
	if err != nil {
		t.Fatal(err)
	}
	want := api.RunClaims{System: "github", Tool: "terraform", Repository: "acme/edge", Commit: "c0ffee", Actor: "bob", URL: "https://example.com/7"}
	if run.ID != "release-7" || run.Claims != want {
		t.Errorf("got %+v\nwant id release-7 and %+v", run, want)
	}
}

func TestDeclaredRunIDIsHeldToTheAPI(t *testing.T) {
	for id, ok := range map[string]bool{
		"a": true, strings.Repeat("a", api.MaxRunIDLength): true,
		strings.Repeat("a", api.MaxRunIDLength+1): false, "a b": false, "a\n": false, "é": false,
	} {
		_, err := detectRun(runIdentity{ID: id}, envOf(nil), testProcess)
		if (err == nil) != ok {
			t.Errorf("%q: got %v, want ok %t", id, err, ok)
		}
	}
}

func TestLongCIValuesStayWithinTheAPI(t *testing.T) {
	long := strings.Repeat("é\x1b", 400)
	run := func(id string) runIdentity {
		r, err := detectRun(runIdentity{}, envOf(map[string]string{"GITHUB_RUN_ID": id, "GITHUB_REPOSITORY": long, "GITHUB_ACTOR": long}), testProcess)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := run("1"), run("2")
	if err := checkRunID(a.ID); err != nil || a.ID == b.ID {
		t.Errorf("ids %q and %q must differ and be valid: %v", a.ID, b.ID, err)
	}
	if len(a.Claims.Actor) > api.MaxRunClaimLength || strings.Contains(a.Claims.Actor, "\x1b") || !strings.HasPrefix(a.Claims.Actor, "éé") {
		t.Errorf("actor: %q", a.Claims.Actor)
	}
}

func TestRunOfAnotherProcessIsAnotherRun(t *testing.T) {
	ids := map[string]bool{}
	for _, p := range []processIdentity{
		testProcess,
		{Host: "build-8", Parent: 42, Started: "boot 1000"},
		{Host: "build-7", Parent: 43, Started: "boot 1000"},
		{Host: "build-7", Parent: 42, Started: "boot 1001"},
	} {
		run, err := detectRun(runIdentity{}, envOf(nil), p)
		if err != nil {
			t.Fatal(err)
		}
		ids[run.ID] = true
	}
	if len(ids) != 4 {
		t.Errorf("got %d different ids of 4 processes: %v", len(ids), ids)
	}
}

func TestCurrentProcessIsStable(t *testing.T) {
	a, b := currentProcess(t.Context()), currentProcess(t.Context())
	if a != b || a.Started == "" || a.Host == "" {
		t.Errorf("got %+v and %+v", a, b)
	}
}

func TestParentIsReadFromTheSystem(t *testing.T) {
	stat := "4242 (tofu (1) x) S 1 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 987654 1000 2000\n"
	if command, started, err := parseProcStat([]byte(stat)); err != nil || command != "tofu (1) x" || started != "987654" {
		t.Errorf("proc: got %q %q %v", command, started, err)
	}
	if command, started, err := parsePS("Tue Mar  4 05:06:07 2025 /opt/my tools/terraform\n"); err != nil || command != "/opt/my tools/terraform" || started != "Tue Mar 4 05:06:07 2025" {
		t.Errorf("ps: got %q %q %v", command, started, err)
	}
	for _, bad := range []string{"", "1 (x", "1 (x) S 1"} {
		if _, _, err := parseProcStat([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
