package authority

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Authority is a system that change tickets live in. It is safe for concurrent
// use.
type Authority interface {
	// Name is what the configuration calls it.
	Name() string
	// Handles reports whether a ticket with this id would live here.
	Handles(id string) bool
	// Read asks for a ticket. It fails with [ErrNotFound], an [*Unavailable], or
	// the context's own error.
	Read(ctx context.Context, id string) (ticket.Facts, error)
	// Comment adds a text to a ticket. Besides the errors of Read it fails with
	// [ErrReadOnly]. A call that fails may have taken effect.
	Comment(ctx context.Context, id, text string) error
}

// Errors of an authority, for callers to decide by.
var (
	// ErrNotFound means that there is no such ticket, or none that our account may see.
	ErrNotFound = errors.New("no such ticket")
	// ErrReadOnly means that the authority is configured to take no comments.
	ErrReadOnly = errors.New("takes no comments")
)

// Unavailable means that an authority gave no usable answer: it can't be reached,
// is slow or overloaded, does not accept our credentials, or answered what can't be
// understood. It says nothing about the ticket.
type Unavailable struct {
	Authority string
	// Reason is a phrase of ours, such as "it answered 503": it repeats nothing
	// that the authority said.
	Reason string
	// RetryAfter is how long the authority asks to be left alone, at most
	// [MaxRetryAfter]; 0 when it doesn't say.
	RetryAfter time.Duration
	// ticketOnly is set when other tickets may well be readable.
	ticketOnly bool
}

// Error implements error.
func (u *Unavailable) Error() string {
	return fmt.Sprintf("authority %q gave no usable answer: %s", u.Authority, u.Reason)
}

// adapter speaks the language of one kind of authority. Ids have passed the
// pattern, contexts end in time, and what it reads need not be bounded.
type adapter interface {
	read(ctx context.Context, id string) (reading, error)
	comment(ctx context.Context, id, text string) error
}

// reading is what an adapter found out about a ticket.
type reading struct {
	ticket.Facts
	// approvedAt is when the ticket became approved, zero when nobody says.
	approvedAt time.Time
}

// remote implements Authority around an adapter.
type remote struct {
	cfg     Config
	pattern *regexp.Regexp
	adapter adapter
}

// New returns the authority that a configuration describes. It does not connect. A
// nil client is one that trusts the system's certificates; of another its transport
// is taken. Errors are a [*ConfigError].
func New(cfg Config, client *http.Client) (Authority, error) {
	pattern, err := cfg.check()
	if err != nil {
		return nil, err
	}
	x := newExchange(&cfg, client)
	r := &remote{cfg: cfg, pattern: pattern}
	switch cfg.Type {
	case ServiceNow:
		r.adapter = &serviceNow{exchange: x, base: cfg.URL, states: cfg.States}
	case Jira:
		r.adapter = newJira(&cfg, x)
	case GitHub:
		r.adapter = newGitHub(&cfg, x)
	case HTTP:
		r.adapter = &plainHTTP{exchange: x, url: cfg.URL, commentURL: cfg.HTTP.CommentURL, fields: cfg.HTTP.Fields, states: cfg.States}
	}
	return r, nil
}

func (r *remote) Name() string { return r.cfg.Name }

func (r *remote) Handles(id string) bool {
	return ticket.CheckID(id) == "" && r.pattern.MatchString(id)
}

func (r *remote) Read(ctx context.Context, id string) (ticket.Facts, error) {
	if !r.Handles(id) {
		return ticket.Facts{}, ErrNotFound
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.Timeout, errSlow)
	defer cancel()
	found, err := r.adapter.read(ctx, id)
	if err != nil {
		return ticket.Facts{}, err
	}
	return r.settle(id, found)
}

func (r *remote) Comment(ctx context.Context, id, text string) error {
	if r.cfg.ReadOnly {
		return ErrReadOnly
	}
	if !r.Handles(id) {
		return ErrNotFound
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.Timeout, errSlow)
	defer cancel()
	return r.adapter.comment(ctx, id, text)
}
