package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// message is an entry on its way to a sink.
type message struct {
	entry   *api.EntryRecord
	payload []byte
}

func (m *message) seq() int64 { return m.entry.Seq }

// target is where a stream leads to. One goroutine uses it.
type target interface {
	// deliver hands messages over, oldest first, and returns nil once they are safe there.
	// It fails with a [*failure] or a [*rejected]; anything else is a [*failure] too. What
	// fails may have taken effect.
	deliver(ctx context.Context, batch []message) error
	// batch is how many messages deliver may be handed at once.
	batch() int
	close() error
}

// failure means that messages were not taken, for reasons that are not theirs: the same
// will be tried again.
type failure struct {
	// code is one of the failure codes; detail is a phrase of ours.
	code, detail string
	// retryAfter is how long the receiver asks to be left alone; 0 when it doesn't.
	retryAfter time.Duration
	// stop is set when trying again is pointless: the stream ends until the next start.
	stop bool
}

// Codes of failures.
const (
	codeUnreachable = "unreachable"
	codeTimeout     = "timeout"
	codeCertificate = "certificate"
	codeCredentials = "credentials"
	codeStatus      = "status"
	codeGone        = "gone"
	codeRejected    = "rejected"
	codeFile        = "file"
	codeDeadLetters = "dead_letters"
	codeLog         = "log"
	codePosition    = "position"
	codeClosed      = "closed"
)

// Error implements error.
func (f *failure) Error() string { return f.detail }

// rejected means that a receiver refuses the messages themselves.
type rejected struct {
	// status is the receiver's, of HTTP.
	status int
	detail string
	// final is set when the same must not be sent again: the whole batch goes to the dead
	// letters.
	final bool
}

// Error implements error.
func (r *rejected) Error() string { return r.detail }

func failed(code, detail string, args ...any) *failure {
	return &failure{code: code, detail: fmt.Sprintf(detail, args...)}
}
