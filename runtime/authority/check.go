package authority

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

var (
	repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$`)
	fieldPattern      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
)

// check fills in defaults and finds what is wrong. It returns the compiled pattern.
func (c *Config) check() (*regexp.Regexp, error) {
	fail := func(field, format string, args ...any) error {
		return &ConfigError{c.Name, field, fmt.Sprintf(format, args...)}
	}
	c.setDefaults()
	if msg := lb.CheckName(c.Name); msg != "" {
		return nil, fail("name", "%s", msg)
	}
	if !slices.Contains(Types, c.Type) {
		return nil, fail("type", "%.32q must be one of servicenow, jira, github and http", string(c.Type))
	}
	if err := c.checkURL("url", &c.URL); err != nil {
		return nil, err
	}
	pattern, problem := compile(c.Pattern)
	if problem != "" {
		return nil, fail("pattern", "%s", problem)
	}
	if len(c.Scope) == 0 || len(c.Scope) > ticket.MaxScopeAddresses {
		return nil, fail("scope", "must have 1 to %d globs: name what tickets of this authority may change, such as pool/* or *", ticket.MaxScopeAddresses)
	}
	for _, glob := range c.Scope {
		if msg := lb.CheckGlob(glob); msg != "" {
			return nil, fail("scope", "%s", msg)
		}
	}
	if err := c.checkCommon(fail); err != nil {
		return nil, err
	}
	return pattern, c.checkType(fail)
}

// checkCommon checks credentials, states and durations.
func (c *Config) checkCommon(fail func(field, format string, args ...any) error) error {
	switch basic, bearer := c.User != "" || !c.Password.IsZero(), !c.Token.IsZero(); {
	case basic && bearer:
		return fail("token", "can't stand beside user and password")
	case basic && (c.User == "" || c.Password.IsZero()):
		return fail("password", "and user go together")
	case strings.ContainsFunc(c.User, func(r rune) bool { return r < ' ' || r == ':' || r == 0x7f }):
		return fail("user", "must not contain colons or control characters")
	case !basic && !bearer && c.Type != HTTP:
		return fail("token", "is required, or user and password")
	}
	if len(c.States) > maxStates {
		return fail("states", "has %d words; at most %d are allowed", len(c.States), maxStates)
	}
	for word, state := range c.States {
		if !slices.Contains(told, state) {
			return fail("states", "maps %.64q to %.32q, which is not one of pending, approved, rejected, cancelled and closed", word, string(state))
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
		least time.Duration
		most  time.Duration
	}{{"timeout", c.Timeout, time.Millisecond, MaxTimeout}, {"cache", c.Cache, 0, MaxCache}, {"valid_for", c.ValidFor, 0, MaxValidFor}} {
		if d.value < d.least || d.value > d.most {
			return fail(d.field, "%s must be between %s and %s", d.value, d.least, d.most)
		}
	}
	return nil
}

// checkType checks what only some types have.
func (c *Config) checkType(fail func(field, format string, args ...any) error) error {
	switch c.Type {
	case Jira:
		if len(c.States) == 0 {
			return fail("states", "is required: without a status that means approved, no issue ever is")
		}
		for field, name := range map[string]string{
			"approvers_field": c.Jira.ApproversField, "not_before_field": c.Jira.NotBeforeField,
			"not_after_field": c.Jira.NotAfterField, "type_field": c.Jira.TypeField,
		} {
			if name != "" && !fieldPattern.MatchString(name) {
				return fail(field, "%.32q must be the id of a field, such as customfield_10042", name)
			}
		}
	case GitHub:
		if !repositoryPattern.MatchString(c.GitHub.Repository) {
			return fail("repository", "%.64q must be owner/name", c.GitHub.Repository)
		}
		if !c.GitHub.PullRequests && c.GitHub.Label == "" {
			return fail("label", "is required: the label that approves an issue")
		}
		if len(c.States) > 0 {
			return fail("states", "means nothing on GitHub")
		}
	case HTTP:
		return c.checkHTTP(fail)
	}
	return nil
}

func (c *Config) checkHTTP(fail func(field, format string, args ...any) error) error {
	if c.HTTP.CommentURL != "" {
		if err := c.checkURL("comment_url", &c.HTTP.CommentURL); err != nil {
			return err
		}
	}
	if c.HTTP.Fields[fieldState] == "" {
		return fail("fields", "must have state")
	}
	for name, pointer := range c.HTTP.Fields {
		if !slices.Contains(httpFields, name) {
			return fail("fields", "has %.32q; there are %s", name, strings.Join(httpFields, ", "))
		}
		if !validPointer(pointer) {
			return fail("fields", "has %.64q for %s, which is not a JSON pointer such as /change/state", pointer, name)
		}
	}
	return nil
}

func (c *Config) setDefaults() {
	set := func(s *string, def string) {
		if *s == "" {
			*s = def
		}
	}
	switch {
	case c.Type == ServiceNow:
		set(&c.Pattern, DefaultServiceNowPattern)
	case c.Type == GitHub && c.GitHub.PullRequests:
		set(&c.Pattern, DefaultPullPattern)
		if c.ValidFor == 0 {
			c.ValidFor = ticket.DefaultWindow
		}
	case c.Type == GitHub:
		set(&c.Pattern, DefaultIssuePattern)
	case c.Type == HTTP && c.HTTP.CommentURL == "":
		c.ReadOnly = true
	}
	if c.Type == GitHub {
		set(&c.URL, DefaultGitHubURL)
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Cache == 0 {
		c.Cache = DefaultCache
	}
	states := make(map[string]ticket.State, len(c.States))
	for word, state := range c.States {
		states[strings.ToLower(strings.TrimSpace(word))] = state
	}
	c.States = states
}

// compile anchors a pattern. It is compiled by itself first: one with unbalanced
// brackets could escape the anchors.
func compile(pattern string) (*regexp.Regexp, string) {
	if pattern == "" || len(pattern) > maxPatternLength {
		return nil, fmt.Sprintf("must have 1 to %d bytes: a regular expression that whole ids match, such as OPS-[0-9]+", maxPatternLength)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, "must be a regular expression (RE2)"
	}
	anchored, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return nil, "must be a regular expression (RE2)"
	}
	return anchored, ""
}

// checkURL holds a URL to a form that can't leak credentials.
func (c *Config) checkURL(field string, raw *string) error {
	fail := func(problem string) error { return &ConfigError{c.Name, field, problem} }
	text := *raw
	if c.Type == HTTP {
		if text = expand(*raw, "x"); text == *raw {
			return fail("must have {id} in its path or query")
		}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fail("must be a URL such as https://tickets.example.com")
	case u.User != nil:
		return fail("must not carry credentials; use user and password, or token")
	case u.Fragment != "" || c.Type != HTTP && u.RawQuery != "":
		return fail("must not carry a query or fragment")
	case u.Scheme == "http" && !c.InsecureHTTP && !lb.IsLoopback(u.Hostname()):
		return fail("would send credentials in clear text: use https, or allow it with insecure_http")
	}
	if c.Type == HTTP {
		if other, err := url.Parse(expand(*raw, "y")); err != nil || other.Host != u.Host || other.Scheme != u.Scheme {
			return fail("must have {id} in its path or query")
		}
		return nil
	}
	*raw = strings.TrimRight(text, "/")
	return nil
}
