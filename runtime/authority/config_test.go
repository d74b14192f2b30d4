package authority_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

func TestAWrongConfigurationIsRefusedAtItsField(t *testing.T) {
	type cfg = authority.Config
	tests := []struct {
		name, kind string
		change     func(*cfg)
		field      string
	}{
		{"no name", "jira", func(c *cfg) { c.Name = "" }, "name"},
		{"unknown type", "jira", func(c *cfg) { c.Type = "remedy" }, "type"},
		{"no URL", "jira", func(c *cfg) { c.URL = "" }, "url"},
		{"no URL at all", "jira", func(c *cfg) { c.URL = "jira.example.com" }, "url"},
		{"another scheme", "jira", func(c *cfg) { c.URL = "file:///etc/passwd" }, "url"},
		{"clear text", "jira", func(c *cfg) { c.URL = "http://jira.example.com" }, "url"},
		{"credentials in the URL", "jira", func(c *cfg) { c.URL = "https://a:" + secret + "@jira.example.com" }, "url"},
		{"a query", "jira", func(c *cfg) { c.URL = "https://jira.example.com?x=y" }, "url"},
		{"a template without {id}", "http", func(c *cfg) { c.URL = "https://t.example.com/" }, "url"},
		{"{id} in the host", "http", func(c *cfg) { c.URL = "https://{id}.example.com/" }, "url"},
		{"comments in clear text", "http", func(c *cfg) { c.HTTP.CommentURL = "http://t.example.com/{id}" }, "comment_url"},
		{"no pattern", "jira", func(c *cfg) { c.Pattern = "" }, "pattern"},
		{"a malformed pattern", "jira", func(c *cfg) { c.Pattern = "OPS-(" }, "pattern"},
		{"a pattern that escapes its anchors", "jira", func(c *cfg) { c.Pattern = "OPS-1)|(?:.*" }, "pattern"},
		{"no scope", "jira", func(c *cfg) { c.Scope = nil }, "scope"},
		{"a malformed glob", "jira", func(c *cfg) { c.Scope = []string{"pool"} }, "scope"},
		{"two credentials", "jira", func(c *cfg) { c.User, c.Password = "a", authority.NewSecret(secret) }, "token"},
		{"no credentials", "github issue", func(c *cfg) { c.Token = authority.Secret{} }, "token"},
		{"no password", "servicenow", func(c *cfg) { c.Password = authority.Secret{} }, "password"},
		{"no user", "servicenow", func(c *cfg) { c.User = "" }, "password"},
		{"a colon in the user", "servicenow", func(c *cfg) { c.User = "a:b" }, "user"},
		{"no states", "jira", func(c *cfg) { c.States = nil }, "states"},
		{"a state that can't be told", "jira", func(c *cfg) { c.States = map[string]ticket.State{"x": ticket.Expired} }, "states"},
		{"states on GitHub", "github issue", func(c *cfg) { c.States = map[string]ticket.State{"x": ticket.Approved} }, "states"},
		{"no time at all", "jira", func(c *cfg) { c.Timeout = -1 }, "timeout"},
		{"too much time", "jira", func(c *cfg) { c.Timeout = time.Hour }, "timeout"},
		{"cached for too long", "jira", func(c *cfg) { c.Cache = time.Hour }, "cache"},
		{"valid for too long", "jira", func(c *cfg) { c.ValidFor = 1000 * time.Hour * 24 }, "valid_for"},
		{"a field that is a query", "jira", func(c *cfg) { c.Jira.ApproversField = "a&b" }, "approvers_field"},
		{"a repository that is a path", "github issue", func(c *cfg) { c.GitHub.Repository = "acme/.." }, "repository"},
		{"no label", "github issue", func(c *cfg) { c.GitHub.Label = "" }, "label"},
		{"no state to read", "http", func(c *cfg) { c.HTTP.Fields = map[string]string{"id": "/id"} }, "fields"},
		{"an unknown field", "http", func(c *cfg) { c.HTTP.Fields = map[string]string{"state": "/s", "colour": "/c"} }, "fields"},
		{"a malformed pointer", "http", func(c *cfg) { c.HTTP.Fields = map[string]string{"state": "s"} }, "fields"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := kinds()[tt.kind].config
			c.URL = "https://tickets.example.com/{id}"
			if c.Type != authority.HTTP {
				c.URL = "https://tickets.example.com"
			}
			if _, err := authority.New(c, nil); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			tt.change(&c)
			_, err := authority.New(c, nil)
			var wrong *authority.ConfigError
			if !errors.As(err, &wrong) || wrong.Field != tt.field || strings.Contains(err.Error(), secret) {
				t.Errorf("error is %v, want one of %s", err, tt.field)
			}
		})
	}
}

func TestClearTextIsAdmittedWhenAsked(t *testing.T) {
	c := kinds()["jira"].config
	c.URL, c.InsecureHTTP = "http://jira.example.com/", true
	if _, err := authority.New(c, nil); err != nil {
		t.Error(err)
	}
}

func TestASecretIsNotPrinted(t *testing.T) {
	c := kinds()["servicenow"].config
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", c.Password, "config", c)
	encoded, err := json.Marshal(c.Password)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", c, c, c, c.Password, c.Password, c.Password), log.String(), string(encoded)} {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("the secret is printed: %s", text)
		}
	}
}
