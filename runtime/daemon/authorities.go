package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Authority is where change tickets live that do not live here. What its
// attributes mean and may be stands with [authority.Config].
type Authority struct {
	Type    string   `hcl:"type,label"`
	Name    string   `hcl:"name,label"`
	URL     string   `hcl:"url,optional"`
	Pattern string   `hcl:"pattern,optional"`
	Scope   []string `hcl:"scope"`
	User    string   `hcl:"user,optional"`
	// PasswordFile and PasswordEnv, TokenFile and TokenEnv say where the secret
	// stands: it is no part of the configuration.
	PasswordFile string            `hcl:"password_file,optional"`
	PasswordEnv  string            `hcl:"password_env,optional"`
	TokenFile    string            `hcl:"token_file,optional"`
	TokenEnv     string            `hcl:"token_env,optional"`
	States       map[string]string `hcl:"states,optional"`
	Timeout      string            `hcl:"timeout,optional"`
	Cache        string            `hcl:"cache,optional"`
	ValidFor     string            `hcl:"valid_for,optional"`
	ReadOnly     bool              `hcl:"read_only,optional"`
	InsecureHTTP bool              `hcl:"insecure_http,optional"`

	// Of type jira.
	ApproversField string `hcl:"approvers_field,optional"`
	NotBeforeField string `hcl:"not_before_field,optional"`
	NotAfterField  string `hcl:"not_after_field,optional"`
	TypeField      string `hcl:"type_field,optional"`

	// Of type github.
	Repository   string `hcl:"repository,optional"`
	PullRequests bool   `hcl:"pull_requests,optional"`
	Label        string `hcl:"label,optional"`

	// Of type http.
	CommentURL string            `hcl:"comment_url,optional"`
	Fields     map[string]string `hcl:"fields,optional"`
}

func (a *Authority) config() (authority.Config, error) {
	c := authority.Config{
		Name: a.Name, Type: authority.Type(a.Type), URL: a.URL, Pattern: a.Pattern, Scope: a.Scope, User: a.User,
		ReadOnly: a.ReadOnly, InsecureHTTP: a.InsecureHTTP,
		Jira:   authority.JiraConfig{ApproversField: a.ApproversField, NotBeforeField: a.NotBeforeField, NotAfterField: a.NotAfterField, TypeField: a.TypeField},
		GitHub: authority.GitHubConfig{Repository: a.Repository, PullRequests: a.PullRequests, Label: a.Label},
		HTTP:   authority.HTTPConfig{CommentURL: a.CommentURL, Fields: a.Fields},
	}
	if a.States != nil {
		c.States = map[string]ticket.State{}
		for word, state := range a.States {
			c.States[word] = ticket.State(state)
		}
	}
	var errs [5]error
	c.Timeout, errs[0] = duration("timeout", a.Timeout)
	c.Cache, errs[1] = duration("cache", a.Cache)
	c.ValidFor, errs[2] = duration("valid_for", a.ValidFor)
	c.Password, errs[3] = secret("password", a.PasswordFile, a.PasswordEnv)
	c.Token, errs[4] = secret("token", a.TokenFile, a.TokenEnv)
	return c, errors.Join(errs[:]...)
}

// secret reads a secret from a file or the environment.
func secret(name, file, env string) (authority.Secret, error) {
	switch {
	case file != "" && env != "":
		return authority.Secret{}, fmt.Errorf("%s_file and %s_env exclude each other", name, name)
	case file != "":
		if _, err := os.ReadFile(file); err != nil {
			return authority.Secret{}, fmt.Errorf("%s_file: %w", name, err)
		}
		// Read on each use, so that it can be rotated. An empty one is an authority
		// that can't be asked.
		return authority.SecretFrom(func() string {
			b, _ := os.ReadFile(file)
			return strings.TrimSpace(string(b))
		}), nil
	case env != "":
		text := os.Getenv(env)
		if text == "" {
			return authority.Secret{}, fmt.Errorf("%s_env: %s is not set", name, env)
		}
		return authority.NewSecret(text), nil
	}
	return authority.Secret{}, nil
}

// authorities makes the keeper of the configured authorities; nil without any.
func (c *Config) authorities() (*authority.Keeper, error) {
	if len(c.Authorities) == 0 {
		return nil, nil
	}
	var members []authority.Member
	var errs []error
	for _, block := range c.Authorities {
		config, err := block.config()
		if err != nil {
			errs = append(errs, fmt.Errorf("configuration: authority %q: %w", block.Name, err))
			continue
		}
		a, err := authority.New(config, &http.Client{})
		if err != nil {
			errs = append(errs, fmt.Errorf("configuration: %w", err))
			continue
		}
		cache := config.Cache
		if cache == 0 {
			cache = authority.DefaultCache
		}
		members = append(members, authority.Member{Authority: a, Cache: cache})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	keeper, err := authority.NewKeeper(nil, members...)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return keeper, nil
}

// elsewhere asks a keeper on the controller's behalf. It implements
// [control.Authorities].
type elsewhere struct{ keeper *authority.Keeper }

// Authority implements [control.Authorities].
func (e elsewhere) Authority(id string) string { return e.keeper.NameFor(id) }

// Lookup implements [control.Authorities].
func (e elsewhere) Lookup(ctx context.Context, id string) control.Elsewhere {
	known := control.Elsewhere{Authority: e.keeper.NameFor(id)}
	answer, _, err := e.keeper.Lookup(ctx, id)
	if errors.Is(err, authority.ErrNotFound) {
		known.Gone = true
		return known
	}
	if err == nil {
		known.Authority, known.Facts, known.At = answer.Authority, answer.Facts, answer.At
		err = answer.Stale
	}
	if err != nil {
		known.Stale = err.Error()
	}
	return known
}
