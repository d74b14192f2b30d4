package provider

import (
	"os"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// ciSystem says how one CI tells a run about itself. Values are templates over
// environment variables, "${NAME}"; a template with a variable that is absent
// gives nothing, and of several the first that gives something is taken.
//
// Variables that hold tokens are never named here.
type ciSystem struct {
	// system is the name that ids begin with and claims carry.
	system string
	// marker is the variable whose presence says that this is the system.
	marker string
	// id is what tells one run from another within the system.
	id         []string
	url        []string
	repository []string
	commit     []string
	attempt    []string
	actor      []string
	workspace  []string
	phase      []string
}

// ciSystems is in order of precedence. The systems that run Terraform come
// before the general ones: an Atlantis server or an HCP Terraform agent may
// itself live in a GitHub or GitLab job, and the run is then theirs.
var ciSystems = []ciSystem{
	{
		system:     "spacelift",
		marker:     "TF_VAR_spacelift_run_id",
		id:         []string{"${TF_VAR_spacelift_account_name}/${TF_VAR_spacelift_stack_id}/${TF_VAR_spacelift_run_id}", "${TF_VAR_spacelift_run_id}"},
		url:        []string{"https://${TF_VAR_spacelift_account_name}.app.spacelift.io/stack/${TF_VAR_spacelift_stack_id}/run/${TF_VAR_spacelift_run_id}"},
		repository: []string{"${TF_VAR_spacelift_repository}"},
		commit:     []string{"${TF_VAR_spacelift_commit_sha}"},
		actor:      []string{"${TF_VAR_spacelift_run_trigger}"},
		workspace:  []string{"${TF_VAR_spacelift_stack_id}"},
	},
	{
		system:    "scalr",
		marker:    "SCALR_RUN_ID",
		id:        []string{"${SCALR_HOSTNAME}/${SCALR_RUN_ID}", "${SCALR_RUN_ID}"},
		commit:    []string{"${SCALR_RUN_VCS_COMMIT}"},
		workspace: []string{"${SCALR_WORKSPACE_NAME}"},
		phase:     []string{"${SCALR_TERRAFORM_OPERATION}"},
	},
	{
		system:    "env0",
		marker:    "ENV0_DEPLOYMENT_LOG_ID",
		id:        []string{"${ENV0_DEPLOYMENT_LOG_ID}"},
		url:       []string{"https://app.env0.com/p/${ENV0_PROJECT_ID}/environments/${ENV0_ENVIRONMENT_ID}/deployments/${ENV0_DEPLOYMENT_LOG_ID}"},
		commit:    []string{"${ENV0_COMMIT_HASH}"},
		actor:     []string{"${ENV0_DEPLOYER_EMAIL}"},
		workspace: []string{"${ENV0_ENVIRONMENT_NAME}"},
	},
	{
		// Atlantis gives its built-in plan and apply steps no pull request, only
		// `run` and `env` steps see one: hand PULL_NUM and the others on with
		// `env` steps, or the process that started this one stands in.
		system:     "atlantis",
		marker:     "ATLANTIS_TERRAFORM_VERSION",
		id:         []string{"${BASE_REPO_OWNER}/${BASE_REPO_NAME}/${PULL_NUM}/${HEAD_COMMIT}"},
		url:        []string{"${PULL_URL}"},
		repository: []string{"${BASE_REPO_OWNER}/${BASE_REPO_NAME}"},
		commit:     []string{"${HEAD_COMMIT}"},
		actor:      []string{"${USER_NAME}", "${PULL_AUTHOR}"},
		workspace:  []string{"${WORKSPACE}"},
	},
	{
		// HCP Terraform names no person.
		system:    "hcp_terraform",
		marker:    "TFC_RUN_ID",
		id:        []string{"${TFC_WORKSPACE_SLUG}/${TFC_RUN_ID}", "${TFC_RUN_ID}"},
		commit:    []string{"${TFC_CONFIGURATION_VERSION_GIT_COMMIT_SHA}"},
		workspace: []string{"${TFC_WORKSPACE_SLUG}", "${TFC_WORKSPACE_NAME}"},
	},
	{
		system:     "github",
		marker:     "GITHUB_RUN_ID",
		id:         []string{"${GITHUB_REPOSITORY}/${GITHUB_RUN_ID}/${GITHUB_RUN_ATTEMPT}", "${GITHUB_REPOSITORY}/${GITHUB_RUN_ID}"},
		url:        []string{"${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}/attempts/${GITHUB_RUN_ATTEMPT}", "${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}"},
		repository: []string{"${GITHUB_REPOSITORY}"},
		commit:     []string{"${GITHUB_SHA}"},
		attempt:    []string{"${GITHUB_RUN_ATTEMPT}"},
		actor:      []string{"${GITHUB_TRIGGERING_ACTOR}", "${GITHUB_ACTOR}"},
	},
	{
		// The pipeline and not the job: plan and apply are often two jobs of one.
		system:     "gitlab",
		marker:     "CI_PIPELINE_ID",
		id:         []string{"${CI_SERVER_HOST}/${CI_PROJECT_PATH}/${CI_PIPELINE_ID}", "${CI_PROJECT_PATH}/${CI_PIPELINE_ID}"},
		url:        []string{"${CI_PIPELINE_URL}"},
		repository: []string{"${CI_PROJECT_PATH}"},
		commit:     []string{"${CI_COMMIT_SHA}"},
		actor:      []string{"${GITLAB_USER_LOGIN}"},
	},
	{
		// UUIDs come in braces. The triggerer is a UUID too.
		system:     "bitbucket",
		marker:     "BITBUCKET_PIPELINE_UUID",
		id:         []string{"${BITBUCKET_REPO_FULL_NAME}/${BITBUCKET_PIPELINE_UUID}", "${BITBUCKET_PIPELINE_UUID}"},
		url:        []string{"https://bitbucket.org/${BITBUCKET_REPO_FULL_NAME}/pipelines/results/${BITBUCKET_BUILD_NUMBER}"},
		repository: []string{"${BITBUCKET_REPO_FULL_NAME}"},
		commit:     []string{"${BITBUCKET_COMMIT}"},
		actor:      []string{"${BITBUCKET_STEP_TRIGGERER_UUID}"},
	},
	{
		system:     "azure_devops",
		marker:     "BUILD_BUILDID",
		id:         []string{"${SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}${SYSTEM_TEAMPROJECT}/${BUILD_BUILDID}/${SYSTEM_JOBATTEMPT}", "${BUILD_BUILDID}/${SYSTEM_JOBATTEMPT}", "${BUILD_BUILDID}"},
		url:        []string{"${SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}${SYSTEM_TEAMPROJECT}/_build/results?buildId=${BUILD_BUILDID}"},
		repository: []string{"${BUILD_REPOSITORY_NAME}"},
		commit:     []string{"${BUILD_SOURCEVERSION}"},
		attempt:    []string{"${SYSTEM_JOBATTEMPT}"},
		actor:      []string{"${BUILD_REQUESTEDFOREMAIL}", "${BUILD_REQUESTEDFOR}"},
	},
	{
		system:     "circleci",
		marker:     "CIRCLE_WORKFLOW_ID",
		id:         []string{"${CIRCLE_WORKFLOW_ID}"},
		url:        []string{"${CIRCLE_BUILD_URL}"},
		repository: []string{"${CIRCLE_PROJECT_USERNAME}/${CIRCLE_PROJECT_REPONAME}", "${CIRCLE_REPOSITORY_URL}"},
		commit:     []string{"${CIRCLE_SHA1}"},
		actor:      []string{"${CIRCLE_USERNAME}"},
	},
	{
		// Who unblocked the build let it apply; its author only began it.
		system:     "buildkite",
		marker:     "BUILDKITE_BUILD_ID",
		id:         []string{"${BUILDKITE_ORGANIZATION_SLUG}/${BUILDKITE_PIPELINE_SLUG}/${BUILDKITE_BUILD_ID}", "${BUILDKITE_BUILD_ID}"},
		url:        []string{"${BUILDKITE_BUILD_URL}"},
		repository: []string{"${BUILDKITE_REPO}"},
		commit:     []string{"${BUILDKITE_COMMIT}"},
		actor:      []string{"${BUILDKITE_UNBLOCKER_EMAIL}", "${BUILDKITE_BUILD_CREATOR_EMAIL}", "${BUILDKITE_BUILD_AUTHOR_EMAIL}"},
	},
	{
		// BUILD_TAG is jenkins-JOB-NUMBER, unique within one server, so the id
		// carries the build's URL where there is one. BUILD_USER_ID needs the
		// build user vars plugin.
		system:     "jenkins",
		marker:     "BUILD_TAG",
		id:         []string{"${BUILD_URL}", "${BUILD_TAG}"},
		url:        []string{"${BUILD_URL}"},
		repository: []string{"${GIT_URL}"},
		commit:     []string{"${GIT_COMMIT}"},
		actor:      []string{"${BUILD_USER_ID}"},
	},
}

// detectCI returns what the first system that is present says. The id is empty
// when the system doesn't tell its runs apart.
func detectCI(env environment) (runIdentity, bool) {
	for _, s := range ciSystems {
		if env(s.marker) == "" {
			continue
		}
		run := runIdentity{Claims: api.RunClaims{
			System:     s.system,
			URL:        firstOf(env, s.url),
			Repository: firstOf(env, s.repository),
			Commit:     firstOf(env, s.commit),
			Attempt:    firstOf(env, s.attempt),
			Actor:      firstOf(env, s.actor),
			Workspace:  firstOf(env, s.workspace),
			Phase:      firstOf(env, s.phase),
		}}
		if id := firstOf(env, s.id); id != "" {
			run.ID = joinRunID(s.system, stripUserinfo(id))
		}
		return run, true
	}
	return runIdentity{}, false
}

// firstOf expands templates until one has all its variables.
func firstOf(env environment, templates []string) string {
	for _, template := range templates {
		complete := true
		value := os.Expand(template, func(name string) string {
			v := env(name)
			complete = complete && v != ""
			return v
		})
		if complete {
			return value
		}
	}
	return ""
}
