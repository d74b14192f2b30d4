package oidc

import (
	"maps"
	"slices"
)

// preset is what is known of one CI's tokens: where they come from, and which
// claims say what. Everything in it can be overridden.
//
// A run's id has exactly the form that the Terraform provider finds in that
// CI's environment, or is empty where the token doesn't have what it takes.
// Where a claim may be absent, the value is empty too.
type preset struct {
	// issuer is the public one; empty where every customer has one of their own.
	issuer string
	actor  string
	run    map[string]string
}

// The presets by name.
var presets = map[string]preset{
	// https://docs.github.com/en/actions/reference/security/oidc
	//
	// An owner's name has no dots, so github.acme.infra is one repository only.
	// The token names who began the run, and the environment who began this
	// attempt: of later attempts nobody is verified.
	"github": {
		issuer: "https://token.actions.githubusercontent.com",
		actor:  `provider + "." + claims.repository.replace("/", ".")`,
		run: map[string]string{
			"id":          `"github/" + claims.repository + "/" + claims.run_id + "/" + claims.run_attempt`,
			"system":      `"github"`,
			"url":         `host == "token.actions.githubusercontent.com" ? "https://github.com/" + claims.repository + "/actions/runs/" + claims.run_id + "/attempts/" + claims.run_attempt : ""`,
			"repository":  `claims.repository`,
			"commit":      `claims.sha`,
			"ref":         `claims.ref`,
			"attempt":     `claims.run_attempt`,
			"actor":       `claims.run_attempt == "1" ? claims.actor : ""`,
			"environment": `claims.?environment.orValue("")`,
			"workflow":    `claims.?job_workflow_ref.or(claims.?workflow_ref).orValue("")`,
		},
	},
	// https://docs.gitlab.com/ci/secrets/id_token_authentication/
	//
	// The id begins with the server's host, which every GitLab since 12.1 tells
	// its jobs. In a merge request from a fork project_path is the fork, whose
	// code runs, and job_project_path (since 18.4) the project that the pipeline
	// belongs to: the actor is the one, the run the other's.
	//
	// Paths may have dots, so that a plus stands for the slash.
	"gitlab": {
		issuer: "https://gitlab.com",
		actor:  `provider + "." + claims.project_path.replace("/", "+")`,
		run: map[string]string{
			"id":          `"gitlab/" + host + "/" + claims.?job_project_path.orValue(claims.project_path) + "/" + string(claims.pipeline_id)`,
			"system":      `"gitlab"`,
			"url":         `claims.iss + "/" + claims.?job_project_path.orValue(claims.project_path) + "/-/pipelines/" + string(claims.pipeline_id)`,
			"repository":  `claims.?job_project_path.orValue(claims.project_path)`,
			"commit":      `claims.?sha.orValue("")`,
			"ref":         `claims.?ref_path.orValue(claims.ref)`,
			"actor":       `claims.user_login`,
			"environment": `claims.?environment.orValue("")`,
			"workflow":    `claims.?ci_config_ref_uri.orValue("")`,
		},
	},
	// https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens
	//
	// The one CI whose token tells plan from apply. It names no person.
	"hcp_terraform": {
		issuer: "https://app.terraform.io",
		actor:  `provider + "." + claims.terraform_organization_name + "." + claims.terraform_workspace_name`,
		run: map[string]string{
			"id":        `"hcp_terraform/" + claims.terraform_organization_name + "/" + claims.terraform_workspace_name + "/" + claims.terraform_run_id`,
			"system":    `"hcp_terraform"`,
			"phase":     `claims.terraform_run_phase`,
			"workspace": `claims.terraform_organization_name + "/" + claims.terraform_workspace_name`,
		},
	},
	// https://buildkite.com/docs/agent/cli/reference/oidc
	//
	// build_id is there when asked for: `buildkite-agent oidc request-token --claim build_id`.
	// Without it pipeline, commit and ref are verified, and the run is not.
	"buildkite": {
		issuer: "https://agent.buildkite.com",
		actor:  `provider + "." + claims.organization_slug + "." + claims.pipeline_slug`,
		run: map[string]string{
			"id":     `has(claims.build_id) ? "buildkite/" + claims.organization_slug + "/" + claims.pipeline_slug + "/" + claims.build_id : ""`,
			"system": `"buildkite"`,
			"commit": `claims.build_commit`,
			"ref":    `has(claims.build_tag) ? "refs/tags/" + claims.build_tag : "refs/heads/" + claims.build_branch`,
		},
	},
	// https://circleci.com/docs/guides/permissions-authentication/openid-connect-tokens/
	//
	// The issuer is https://oidc.circleci.com/org/ORGANIZATION_ID. Older servers
	// leave workflow-id out: then project and ref are verified, and the run is
	// not. The person is a UUID in the subject, where the environment has a name.
	"circleci": {
		actor: `provider + "." + claims["oidc.circleci.com/project-id"]`,
		run: map[string]string{
			"id":         `"oidc.circleci.com/workflow-id" in claims ? "circleci/" + claims["oidc.circleci.com/workflow-id"] : ""`,
			"system":     `"circleci"`,
			"repository": `"oidc.circleci.com/vcs-origin" in claims ? claims["oidc.circleci.com/vcs-origin"].substring(claims["oidc.circleci.com/vcs-origin"].indexOf("/") + 1) : ""`,
			"ref":        `claims[?"oidc.circleci.com/vcs-ref"].orValue("")`,
		},
	},
}

// Presets lists the names of the presets.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }
