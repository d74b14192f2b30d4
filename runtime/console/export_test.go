package console

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Bounds that tests hold the console to.
const (
	IdleTimeout       = idleTimeout
	Lifetime          = lifetime
	MaxSessions       = maxSessions
	MaxOwnSessions    = maxOwnSessions
	MaxSessionStreams = maxSessionStreams
	MaxFormBytes      = maxFormBytes
	CheckEvery        = checkEvery
	LoginFailures     = loginFailures
	MaxExchanges      = maxExchanges
)

// Compared are the rows of a difference, each as mark, attribute, before and after.
func Compared(before, after string) ([][4]string, error) {
	value := func(s string) jsontext.Value {
		if s == "" {
			return nil
		}
		return jsontext.Value(s)
	}
	d, err := compare(value(before), value(after))
	var out [][4]string
	for _, r := range d.Rows {
		out = append(out, [4]string{r.Mark, r.Path, r.Before, r.After})
	}
	return out, err
}

// Sessions are everybody's.
type Sessions struct{ s *sessions }

// NewSessions holds nobody's yet.
func NewSessions(now func() time.Time) Sessions { return Sessions{newSessions(now)} }

// Begin begins one and returns its cookie.
func (s Sessions) Begin(name string) string {
	return s.s.begin(&session{who: api.Identity{Actor: api.Actor{Name: name}}})
}

// Alive reports whether one goes on.
func (s Sessions) Alive(cookie string) bool { return s.s.find(cookie, false) != nil }

// External is the URL of a link to elsewhere, or "".
func External(text string) string { return external(text) }

// Shell is an argument of a command that people copy.
func Shell(argument string) string { return shell(argument) }

// Summary says in a line what an entry did to its object.
func Summary(e *api.EntryRecord) string { return summary(e) }

// Listed is a value as the page of an object shows it.
func Listed(value string) (text string, unset bool, err error) {
	return listed(jsontext.Value(value))
}

// Pieces are those of an attribute between which a line may end.
func Pieces(path string) []string { return pieces(path) }

// More is how many lines of a text are not shown at once.
func More(text string) int {
	if l := long(text); l != nil {
		return l.More
	}
	return 0
}
