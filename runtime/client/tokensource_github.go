package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Bounds of a request to GitHub for a token.
const (
	githubTimeout  = 10 * time.Second // of one attempt, answer included
	githubAttempts = 4
	githubMinWait  = 200 * time.Millisecond
	githubMaxWait  = 2 * time.Second
)

// GitHubActions asks a job's token service for a token, a new one each time, so
// that a long apply goes on. URL and token are ACTIONS_ID_TOKEN_REQUEST_URL and
// ACTIONS_ID_TOKEN_REQUEST_TOKEN, which a job with the permission `id-token:
// write` has. An empty audience leaves the choice to GitHub.
func GitHubActions(requestURL string, requestToken api.Secret, audience string) TokenSource {
	return TokenSourceFunc(func(ctx context.Context) (api.Secret, error) {
		token, err := askGitHub(ctx, requestURL, requestToken, audience)
		if err != nil {
			return "", fmt.Errorf("token service of GitHub Actions: %w", err)
		}
		return token, nil
	})
}

func askGitHub(ctx context.Context, requestURL string, requestToken api.Secret, audience string) (api.Secret, error) {
	u, err := url.Parse(requestURL)
	if err != nil || u.Host == "" || u.User != nil {
		return "", errors.New("its URL is not one of GitHub Actions")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !lb.IsLoopback(u.Hostname())) {
		return "", errors.New("its URL would send a token in clear text: it must begin with https")
	}
	if !isBearer(requestToken) {
		return "", errors.New("the token of the request is not one of GitHub Actions")
	}
	if audience != "" {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&audience="+url.QueryEscape(audience), "&")
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", withoutURL(err)
	}
	req.Header.Set("Authorization", "Bearer "+requestToken.Reveal())
	req.Header.Set("Accept", api.ContentJSON)
	resp, err := githubClient().Do(req)
	if err != nil {
		return "", withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answered with status %d", resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 2*MaxIDTokenBytes))
	if err != nil {
		return "", fmt.Errorf("read answer: %w", withoutURL(err))
	}
	var answer struct {
		Value string `json:"value"`
	}
	// The decoder's error may quote the token. A longer answer was cut off.
	if err := json.Unmarshal(data, &answer); err != nil || answer.Value == "" {
		return "", errors.New("its answer holds no token")
	}
	return trimmed([]byte(answer.Value)), nil
}

// githubClient returns a client for one request: the next is minutes away.
func githubClient() *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{
		Transport: cleanhttp.DefaultTransport(),
		Timeout:   githubTimeout,
		// A redirect would carry the token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.Logger = nil
	c.RetryMax = githubAttempts - 1
	c.RetryWaitMin, c.RetryWaitMax = githubMinWait, githubMaxWait
	c.CheckRetry = checkRetry
	c.Backoff = backoff
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return c
}

// withoutURL leaves the URL out of an error: it names the job, and whoever made
// it may have put more into it.
func withoutURL(err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		return urlErr.Err
	}
	return err
}
