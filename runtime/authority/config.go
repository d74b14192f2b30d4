package authority

import (
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Type is the kind of system that an authority is.
type Type string

// The types of authority.
const (
	ServiceNow Type = "servicenow"
	Jira       Type = "jira"
	GitHub     Type = "github"
	HTTP       Type = "http"
)

// Types lists the types of authority.
var Types = []Type{ServiceNow, Jira, GitHub, HTTP}

// Defaults and bounds of an authority.
const (
	DefaultTimeout = 5 * time.Second
	MaxTimeout     = time.Minute
	DefaultCache   = 30 * time.Second
	MaxCache       = 10 * time.Minute
	// MaxValidFor bounds ValidFor. It is what a ticket of our own may last.
	MaxValidFor = ticket.MaxWindow

	DefaultServiceNowPattern = "CHG[0-9]{7,}"
	DefaultIssuePattern      = "GH-[1-9][0-9]{0,8}"
	DefaultPullPattern       = "PR-[1-9][0-9]{0,8}"
	DefaultGitHubURL         = "https://api.github.com"

	maxPatternLength = 200
	maxStates        = 100
)

// Config describes an authority. The names in HCL, which errors use, are the
// fields' in lower case with underscores; those of the nested structs stand beside
// the others.
type Config struct {
	// Name tells authorities apart, in entries and errors. Required, in the form of
	// an object's name.
	Name string
	Type Type
	// URL is the base of the API: of ServiceNow https://example.service-now.com, of
	// Jira https://jira.example.com, of GitHub Enterprise Server
	// https://github.example.com/api/v3; https://api.github.com when empty. Of type
	// http it is the whole URL of a ticket, with {id} in its path or query.
	URL string
	// Pattern is a regular expression that whole ids match. Required but for
	// ServiceNow and GitHub, which have defaults.
	Pattern string
	// Scope lists globs over what every ticket of this authority permits. Required.
	Scope []string
	// User and Password go into Basic authentication; Jira Cloud takes an account's
	// address and an API token. Token is a bearer token, instead. One of the two is
	// required, except with type http.
	User            string
	Password, Token Secret
	// States maps the authority's words for a ticket's state to ours, whatever their
	// case: values of ServiceNow's state field, names of Jira's statuses, the words
	// of type http. GitHub has none. Defaults: ServiceNow's state model; Jira's
	// categories, none of which is an approval; and our own words for type http. A
	// word that is not known means pending.
	States map[string]ticket.State
	// Timeout bounds a read or a comment, all of its requests together. Default 5s.
	Timeout time.Duration
	// Cache is how long an answer may be used again, see [Member]. Default 30s.
	Cache time.Duration
	// ValidFor is how long a ticket is valid from its approval when the authority
	// gives it no window. Default: as long as it stays approved; for pull requests,
	// which stay merged for ever, 24h.
	ValidFor time.Duration
	// ReadOnly keeps evidence from being written back.
	ReadOnly bool
	// InsecureHTTP admits http:// URLs that aren't on loopback. Credentials and
	// approvals then cross the network in clear text.
	InsecureHTTP bool

	Jira   JiraConfig
	GitHub GitHubConfig
	HTTP   HTTPConfig
}

// JiraConfig names fields of Jira, such as customfield_10042.
type JiraConfig struct {
	// ApproversField holds who has approved, as a user or a list of users. Without
	// it, whoever moved the issue into an approved status did.
	ApproversField string
	// NotBeforeField and NotAfterField hold the window, as date and time or as a
	// date in UTC, of which the last day counts in full.
	NotBeforeField, NotAfterField string
	// TypeField holds the type of change, as text or an option. Without it, or with
	// another word in it, the change is a normal one.
	TypeField string
}

// GitHubConfig says where tickets are on GitHub.
type GitHubConfig struct {
	// Repository is owner/name. Required.
	Repository string
	// PullRequests makes pull requests the tickets, rather than issues. Ids end in
	// the number of the one or the other.
	PullRequests bool
	// Label is what approves an issue, whatever its case. Required for issues.
	Label string
}

// HTTPConfig says how to read the JSON of type http.
type HTTPConfig struct {
	// CommentURL is where comments are posted to, with {id}. Empty: read-only.
	CommentURL string
	// Fields maps fields of a ticket to JSON pointers (RFC 6901) into the answer:
	// state, which is required, id, type, title, reason, url, requester, approvers
	// (a text or a list of texts), approved_at, not_before and not_after (RFC 3339).
	Fields map[string]string
}

// ConfigError says which field of a configuration is wrong, and why.
type ConfigError struct {
	Authority string
	// Field is the field's name in HCL.
	Field   string
	Problem string
}

// Error implements error.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("authority %q: %s %s", e.Authority, e.Field, e.Problem)
}
