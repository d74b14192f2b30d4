package oidc_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
)

const commit = "714a629c0b401fdce83e847fc9589983fc6f46bc"

// like returns claims with some changed; nil leaves a claim out.
func like(claims, change map[string]any) map[string]any {
	claims = maps.Clone(claims)
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(name string, v any) bool { _, named := change[name]; return named && v == nil })
	return claims
}

func TestPresetsReadTheTokensOfTheirCI(t *testing.T) {
	tests := []struct {
		name, preset string
		claims       func(*oidctest.Issuer) map[string]any
		actor        string
		run          identity.VerifiedRun
	}{
		{
			"github", "github", func(i *oidctest.Issuer) map[string]any { return i.GitHubClaims(audience) },
			"ci.acme.infra",
			identity.VerifiedRun{
				ID: "github/acme/infra/123/1", System: "github", Repository: "acme/infra", Commit: commit, Ref: "refs/heads/main",
				Attempt: "1", Actor: "octocat", Environment: "production", Workflow: "acme/infra/.github/workflows/deploy.yml@refs/heads/main",
			},
		},
		{
			"github, second attempt without environment", "github", func(i *oidctest.Issuer) map[string]any {
				return like(i.GitHubClaims(audience), map[string]any{"run_attempt": "2", "environment": nil, "job_workflow_ref": nil, "workflow_ref": "acme/infra/a.yml@refs/heads/main"})
			},
			"ci.acme.infra",
			identity.VerifiedRun{
				ID: "github/acme/infra/123/2", System: "github", Repository: "acme/infra", Commit: commit, Ref: "refs/heads/main",
				Attempt: "2", Workflow: "acme/infra/a.yml@refs/heads/main",
			},
		},
		{
			"gitlab", "gitlab", func(i *oidctest.Issuer) map[string]any { return i.GitLabClaims(audience) },
			"ci.acme+platform+infra",
			identity.VerifiedRun{
				ID: "gitlab/127.0.0.1/acme/platform/infra/574", System: "gitlab", URL: "ISSUER/acme/platform/infra/-/pipelines/574",
				Repository: "acme/platform/infra", Commit: commit, Ref: "refs/heads/main", Actor: "sample-user", Environment: "production",
				Workflow: "gitlab.example.com/acme/platform/infra//.gitlab-ci.yml@refs/heads/main",
			},
		},
		{
			"gitlab, merge request from a fork", "gitlab", func(i *oidctest.Issuer) map[string]any {
				return like(i.GitLabClaims(audience), map[string]any{"project_path": "mallory/infra", "environment": nil})
			},
			"ci.mallory+infra",
			identity.VerifiedRun{
				ID: "gitlab/127.0.0.1/acme/platform/infra/574", System: "gitlab", URL: "ISSUER/acme/platform/infra/-/pipelines/574",
				Repository: "acme/platform/infra", Commit: commit, Ref: "refs/heads/main", Actor: "sample-user",
				Workflow: "gitlab.example.com/acme/platform/infra//.gitlab-ci.yml@refs/heads/main",
			},
		},
		{
			"gitlab before 16", "gitlab", func(i *oidctest.Issuer) map[string]any {
				return like(i.GitLabClaims(audience), map[string]any{"job_project_path": nil, "ref_path": nil, "sha": nil, "ci_config_ref_uri": nil, "environment": nil})
			},
			"ci.acme+platform+infra",
			identity.VerifiedRun{
				ID: "gitlab/127.0.0.1/acme/platform/infra/574", System: "gitlab", URL: "ISSUER/acme/platform/infra/-/pipelines/574",
				Repository: "acme/platform/infra", Ref: "main", Actor: "sample-user",
			},
		},
		{
			"hcp terraform", "hcp_terraform", func(i *oidctest.Issuer) map[string]any { return i.HCPTerraformClaims(audience, "apply") },
			"ci.acme.production",
			identity.VerifiedRun{ID: "hcp_terraform/acme/production/run-X3n1AUXNGWbfECsJ", System: "hcp_terraform", Phase: "apply", Workspace: "acme/production"},
		},
		{
			"buildkite", "buildkite", func(i *oidctest.Issuer) map[string]any { return i.BuildkiteClaims(audience) },
			"ci.acme.infra",
			identity.VerifiedRun{ID: "buildkite/acme/infra/019583d7-3737-4e38-af67-f7cc356bd580", System: "buildkite", Commit: commit, Ref: "refs/heads/main"},
		},
		{
			"buildkite, a tag without build_id", "buildkite", func(i *oidctest.Issuer) map[string]any {
				return like(i.BuildkiteClaims(audience), map[string]any{"build_id": nil, "build_tag": "v1.0.0"})
			},
			"ci.acme.infra",
			identity.VerifiedRun{System: "buildkite", Commit: commit, Ref: "refs/tags/v1.0.0"},
		},
		{
			"circleci", "circleci", func(i *oidctest.Issuer) map[string]any { return i.CircleCIClaims(audience) },
			"ci.3a2f5b1c-7d4e-4f6a-9b8c-0d1e2f3a4b5c",
			identity.VerifiedRun{ID: "circleci/2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d6e", System: "circleci", Repository: "acme/infra", Ref: "refs/heads/main"},
		},
		{
			"circleci, a webhook on an old server", "circleci", func(i *oidctest.Issuer) map[string]any {
				return like(i.CircleCIClaims(audience), map[string]any{"oidc.circleci.com/workflow-id": nil, "oidc.circleci.com/vcs-origin": nil, "oidc.circleci.com/vcs-ref": nil})
			},
			"ci.3a2f5b1c-7d4e-4f6a-9b8c-0d1e2f3a4b5c",
			identity.VerifiedRun{System: "circleci"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, func(c *oidc.Config) { c.Name, c.Preset, c.Actor = "ci", tt.preset, "" })
			claims := tt.claims(f.Issuer)
			login := f.accepts(f.Sign(claims))
			want := &identity.Verified{Provider: "ci", Issuer: f.URL, Subject: claims["sub"].(string), Run: tt.run}
			want.Run.URL = strings.Replace(tt.run.URL, "ISSUER", f.URL, 1)
			if diff := cmp.Diff(want, login.Actor.Verified); diff != "" {
				t.Errorf("verified (-want +got):\n%s", diff)
			}
			if login.Actor.Name != tt.actor || login.Actor.Credential != "" || login.Actor.Role != identity.Operator {
				t.Errorf("actor %+v, want %s as operator without credential", login.Actor, tt.actor)
			}
		})
	}
}

func TestEveryPresetStartsWithItsPublicIssuer(t *testing.T) {
	for _, preset := range oidc.Presets() {
		c := oidc.Config{Name: "ci", Preset: preset, Audiences: []string{audience}, Roles: []oidc.RoleRule{{When: "true", Role: identity.Viewer}}}
		_, err := oidc.New([]oidc.Config{c}, oidc.Options{})
		if preset == "circleci" {
			if err == nil || !strings.Contains(err.Error(), `oidc "ci": issuer: is required`) {
				t.Errorf("%s: error %v, want one about its issuer: every organization has one of its own", preset, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", preset, err)
		}
	}
}

func TestWhatPlansCanNotChangeAnything(t *testing.T) {
	tests := []struct {
		role, plan identity.Role
	}{
		{identity.Admin, identity.Planner},
		{identity.Operator, identity.Planner},
		{identity.Planner, identity.Planner},
		{identity.Viewer, identity.Viewer},
		{identity.Auditor, identity.Auditor},
		{identity.Approver, identity.Approver},
	}
	for _, tt := range tests {
		t.Run(string(tt.role), func(t *testing.T) {
			f := newFixture(t, func(c *oidc.Config) {
				c.Preset, c.Roles[0].Role = "hcp_terraform", tt.role
			})
			for phase, want := range map[string]identity.Role{"plan": tt.plan, "apply": tt.role} {
				login := f.accepts(f.Sign(like(f.HCPTerraformClaims(audience, phase), map[string]any{"sub": "hcp"})))
				if login.Actor.Role != want || login.Actor.Verified.Run.Phase != phase {
					t.Errorf("in phase %s the role is %s, want %s", phase, login.Actor.Role, want)
				}
			}
		})
	}
}
