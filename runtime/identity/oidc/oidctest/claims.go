package oidctest

import (
	"maps"
	"time"

	"github.com/google/uuid"
)

// Lifetime is that of the tokens which the claims here make.
const Lifetime = 5 * time.Minute

// Claims are those that every ID token has, issued now, with more of the
// caller's, which win.
func (i *Issuer) Claims(audience string, more map[string]any) map[string]any {
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": i.URL,
		"aud": audience,
		"sub": "somebody",
		"jti": uuid.NewString(),
		"iat": now,
		"nbf": now,
		"exp": now + int64(Lifetime.Seconds()),
	}
	maps.Copy(claims, more)
	return claims
}

// GitHubClaims are those of a job of run 123 in acme/infra, on main.
func (i *Issuer) GitHubClaims(audience string) map[string]any {
	return i.Claims(audience, map[string]any{
		"sub":                   "repo:acme/infra:environment:production",
		"actor":                 "octocat",
		"actor_id":              "12",
		"base_ref":              "",
		"environment":           "production",
		"event_name":            "push",
		"head_ref":              "",
		"job_workflow_ref":      "acme/infra/.github/workflows/deploy.yml@refs/heads/main",
		"job_workflow_sha":      commit,
		"ref":                   "refs/heads/main",
		"ref_type":              "branch",
		"repository":            "acme/infra",
		"repository_id":         "74",
		"repository_owner":      "acme",
		"repository_owner_id":   "65",
		"repository_visibility": "private",
		"run_attempt":           "1",
		"run_id":                "123",
		"run_number":            "10",
		"runner_environment":    "github-hosted",
		"sha":                   commit,
		"workflow":              "deploy",
		"workflow_ref":          "acme/infra/.github/workflows/deploy.yml@refs/heads/main",
		"workflow_sha":          commit,
	})
}

// GitLabClaims are those of a job of pipeline 574 in acme/platform/infra, on
// main.
func (i *Issuer) GitLabClaims(audience string) map[string]any {
	return i.Claims(audience, map[string]any{
		"sub":                   "project_path:acme/platform/infra:ref_type:branch:ref:main",
		"namespace_id":          "72",
		"namespace_path":        "acme/platform",
		"project_id":            "20",
		"project_path":          "acme/platform/infra",
		"job_project_id":        "20",
		"job_project_path":      "acme/platform/infra",
		"user_id":               "1",
		"user_login":            "sample-user",
		"user_email":            "sample-user@example.com",
		"user_access_level":     "developer",
		"pipeline_id":           "574",
		"pipeline_source":       "push",
		"job_id":                "302",
		"ref":                   "main",
		"ref_type":              "branch",
		"ref_path":              "refs/heads/main",
		"ref_protected":         "true",
		"environment":           "production",
		"environment_protected": "true",
		"deployment_tier":       "production",
		"environment_action":    "start",
		"runner_id":             1,
		"runner_environment":    "self-hosted",
		"sha":                   commit,
		"project_visibility":    "private",
		"ci_config_ref_uri":     "gitlab.example.com/acme/platform/infra//.gitlab-ci.yml@refs/heads/main",
		"ci_config_sha":         commit,
	})
}

// HCPTerraformClaims are those of a phase, plan or apply, of a run of the
// workspace acme/production.
func (i *Issuer) HCPTerraformClaims(audience, phase string) map[string]any {
	return i.Claims(audience, map[string]any{
		"sub":                         "organization:acme:project:Default Project:workspace:production:run_phase:" + phase,
		"terraform_run_phase":         phase,
		"terraform_workspace_id":      "ws-mbsd5E3Ktt5Rg2Xm",
		"terraform_workspace_name":    "production",
		"terraform_organization_id":   "org-GRNbCjYNpBB6NEH9",
		"terraform_organization_name": "acme",
		"terraform_project_id":        "prj-vegSA59s1XPwMr2t",
		"terraform_project_name":      "Default Project",
		"terraform_run_id":            "run-X3n1AUXNGWbfECsJ",
		"terraform_full_workspace":    "organization:acme:project:Default Project:workspace:production",
	})
}

// BuildkiteClaims are those of a job of build 42 of acme's pipeline infra, on
// main, with build_id, which has to be asked for.
func (i *Issuer) BuildkiteClaims(audience string) map[string]any {
	return i.Claims(audience, map[string]any{
		"sub":                "organization:acme:pipeline:infra:ref:refs/heads/main:commit:" + commit + ":step:deploy",
		"organization_slug":  "acme",
		"pipeline_slug":      "infra",
		"build_number":       42,
		"build_branch":       "main",
		"build_commit":       commit,
		"step_key":           nil,
		"job_id":             "0184990a-477b-4fa8-9968-496074483cee",
		"agent_id":           "0184990a-4782-42b5-afc1-16715b10b8ff",
		"build_source":       "ui",
		"runner_environment": "self-hosted",
		"build_id":           "019583d7-3737-4e38-af67-f7cc356bd580",
	})
}

// CircleCIClaims are those of a job in a workflow of acme/infra, on main.
func (i *Issuer) CircleCIClaims(audience string) map[string]any {
	const project, org = "3a2f5b1c-7d4e-4f6a-9b8c-0d1e2f3a4b5c", "b9c8d7e6-5f4a-4b3c-8d2e-1f0a9b8c7d6e"
	return i.Claims(audience, map[string]any{
		"sub":                           "org/" + org + "/project/" + project + "/user/9f8e7d6c-5b4a-4938-a271-605f4e3d2c1b/vcs-origin/github.com/acme/infra/vcs-ref/refs/heads/main",
		"oidc.circleci.com/project-id":  project,
		"oidc.circleci.com/context-ids": []string{"a74579f1-2e7d-451e-b009-5c082ad2729e"},
		"oidc.circleci.com/ssh-rerun":   false,
		"oidc.circleci.com/vcs-origin":  "github.com/acme/infra",
		"oidc.circleci.com/vcs-ref":     "refs/heads/main",
		"oidc.circleci.com/pipeline-id": "1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f",
		"oidc.circleci.com/workflow-id": "2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d6e",
		"oidc.circleci.com/job-id":      "5d6e7f8a-9b0c-4d1e-8f2a-3b4c5d6e7f8a",
	})
}

// commit is what every job has checked out.
const commit = "714a629c0b401fdce83e847fc9589983fc6f46bc"
