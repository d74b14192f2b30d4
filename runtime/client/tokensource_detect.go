package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Environment variables that hold an ID token for auditlb, in any CI. In GitLab
// the first is what `id_tokens` is to call the token.
const (
	EnvIDToken     = "AUDITLB_ID_TOKEN"
	EnvIDTokenFile = "AUDITLB_ID_TOKEN_FILE"
)

// ErrAudience is in the error of a token that a CI made for somebody else. Who
// runs the endpoint could use it there, so it is not sent.
var ErrAudience = errors.New("the token was made for another audience")

// ciTokens finds the token of each CI. The order is that in which the provider
// recognizes the run, since the runtime compares what the run claims with what
// the token proves.
var ciTokens = []func(env func(string) string, audience string) (TokenSource, string, bool){
	anyonesToken("Spacelift", "SPACELIFT_OIDC_TOKEN"),
	// A workspace has this one when it sets TFC_WORKLOAD_IDENTITY_AUDIENCE_AUDITLB.
	ourToken("HCP Terraform", "TFC_WORKLOAD_IDENTITY_TOKEN_AUDITLB"),
	anyonesToken("HCP Terraform", "TFC_WORKLOAD_IDENTITY_TOKEN"),
	githubToken,
	anyonesToken("Bitbucket", "BITBUCKET_STEP_OIDC_TOKEN"),
	anyonesToken("CircleCI", "CIRCLE_OIDC_TOKEN_V2"),
	anyonesToken("CircleCI", "CIRCLE_OIDC_TOKEN"),
	buildkiteToken,
}

// HandedOver finds the ID token that the environment holds for auditlb and nobody
// else: [EnvIDToken] or [EnvIDTokenFile]. The description says in words where it
// comes from.
func HandedOver(env func(string) string) (source TokenSource, description string, ok bool) {
	if token := env(EnvIDToken); token != "" {
		return Static(api.Secret(token)), EnvIDToken, true
	}
	if path := env(EnvIDTokenFile); path != "" {
		return File(path), fmt.Sprintf("the file %s (%s)", path, EnvIDTokenFile), true
	}
	return nil, "", false
}

// Detect finds the ID token that the environment offers: one that was
// [HandedOver], or else that of the CI. The audience is asked for where a CI lets
// one ask. A CI's token for all purposes must be made for it, see [ErrAudience].
func Detect(env func(string) string, audience string) (source TokenSource, description string, ok bool) {
	if source, description, ok := HandedOver(env); ok {
		return source, description, true
	}
	for _, find := range ciTokens {
		if source, description, ok := find(env, audience); ok {
			return source, description, true
		}
	}
	return nil, "", false
}

// Audience returns the audience that tokens for an endpoint are made for by
// default: its origin, such as https://lb.example.com:8443, in lower case,
// without a path and without a port that goes without saying. An endpoint that
// is no URL has none.
func Audience(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	if port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; port != "" {
		host = strings.TrimSuffix(host, port)
	}
	return u.Scheme + "://" + host
}

// ourToken is a variable whose name says that its token is for auditlb.
func ourToken(system, variable string) func(func(string) string, string) (TokenSource, string, bool) {
	return func(env func(string) string, _ string) (TokenSource, string, bool) {
		token := env(variable)
		return Static(api.Secret(token)), system + " (" + variable + ")", token != ""
	}
}

// anyonesToken is a variable whose token may be for a cloud or for the CI itself.
func anyonesToken(system, variable string) func(func(string) string, string) (TokenSource, string, bool) {
	find := ourToken(system, variable)
	return func(env func(string) string, audience string) (TokenSource, string, bool) {
		source, description, ok := find(env, audience)
		return onlyFor(audience, source), description, ok
	}
}

func githubToken(env func(string) string, audience string) (TokenSource, string, bool) {
	requestURL, requestToken := env("ACTIONS_ID_TOKEN_REQUEST_URL"), env("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	return GitHubActions(requestURL, api.Secret(requestToken), audience), "GitHub Actions", requestURL != "" && requestToken != ""
}

// buildkiteToken needs the agent's program: tokens are had from nothing else. The
// build's id, by which the run is verified, is in them only when asked for.
func buildkiteToken(env func(string) string, audience string) (TokenSource, string, bool) {
	if env("BUILDKITE_BUILD_ID") == "" {
		return nil, "", false
	}
	program, err := exec.LookPath("buildkite-agent")
	if err != nil {
		return nil, "", false
	}
	args := []string{"oidc", "request-token", "--claim", "build_id"}
	if audience != "" {
		args = append(args, "--audience", audience)
	}
	return Command(program, args...), "Buildkite (buildkite-agent)", true
}

// onlyFor withholds a source's tokens that aren't for the audience.
func onlyFor(audience string, source TokenSource) TokenSource {
	return TokenSourceFunc(func(ctx context.Context) (api.Secret, error) {
		token, err := source.IDToken(ctx)
		if err != nil {
			return "", err
		}
		claims, err := readIDToken(token)
		if err != nil {
			return "", err
		}
		if !slices.Contains(claims.Audience, audience) {
			return "", fmt.Errorf("%w, %s and not %q, and was not sent", ErrAudience, claims.Audience, audience)
		}
		return token, nil
	})
}
