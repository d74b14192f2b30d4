package witness

import (
	"errors"
	"fmt"
)

// Code is what became of bringing a checkpoint to a witness.
type Code string

// Codes.
const (
	// CodeOK: the witness signed it.
	CodeOK Code = "ok"
	// CodeUnreachable: there was no answer in time, or one that says to come again.
	CodeUnreachable Code = "unreachable"
	// CodeUnknownLog: the witness is not configured for this log, or the URL is wrong.
	CodeUnknownLog Code = "unknown_log"
	// CodeForbidden: the witness knows the log by another key.
	CodeForbidden Code = "forbidden"
	// CodeRefused: the witness does not take what it was sent.
	CodeRefused Code = "refused"
	// CodeBadAnswer: what came back is no cosignature of this checkpoint by this witness.
	CodeBadAnswer Code = "bad_answer"
	// CodeInconsistent: the witness says that the checkpoint does not extend the one it
	// signed before. An alarm.
	CodeInconsistent Code = "inconsistent"
	// CodeRolledBack: the witness says that it signed a larger tree than the log has. An
	// alarm.
	CodeRolledBack Code = "rolled_back"
	// CodeLogUnreadable: the log could not be read for a proof. The witness is not to blame.
	CodeLogUnreadable Code = "log_unreadable"
)

// Codes are all there are, for those who count by them.
var Codes = []Code{
	CodeOK, CodeUnreachable, CodeUnknownLog, CodeForbidden, CodeRefused, CodeBadAnswer, CodeInconsistent, CodeRolledBack, CodeLogUnreadable,
}

// Alarm reports whether the code says that the log's history was changed.
func (c Code) Alarm() bool { return c == CodeInconsistent || c == CodeRolledBack }

// Failure is why a witness did not sign. A failure whose code is an alarm says what
// the witness claims; it is no proof.
type Failure struct {
	Code Code
	// Witness is the policy's name for it.
	Witness string
	// Size is that of the checkpoint it was brought, Theirs that of the one it says it has;
	// -1 when it did not say.
	Size, Theirs int64
	// Status is what it answered; 0 for nothing.
	Status int
	err    error
}

// Summary says what is wrong in a sentence that has nothing internal in it.
func (f *Failure) Summary() string {
	switch f.Code {
	case CodeUnreachable:
		if f.Status != 0 {
			return fmt.Sprintf("it can't answer now (HTTP %d)", f.Status)
		}
		return "it does not answer in time"
	case CodeUnknownLog:
		return "it does not know this log, or the URL is not a witness's"
	case CodeForbidden:
		return "it does not know the key that this log signs with"
	case CodeRefused:
		return fmt.Sprintf("it refuses the checkpoint (HTTP %d)", f.Status)
	case CodeBadAnswer:
		return "its answer is no cosignature of the checkpoint by the key in the policy"
	case CodeInconsistent:
		return fmt.Sprintf("it says that the log of %d entries does not extend the one of %d entries that it signed: the log was rewritten, or the witness is wrong", f.Size, f.Theirs)
	case CodeRolledBack:
		return fmt.Sprintf("it says that it signed %d entries of this log, which has only %d: the log was rolled back, or the witness is wrong", f.Theirs, f.Size)
	case CodeLogUnreadable:
		return "the log could not be read for a proof"
	}
	return string(f.Code)
}

// Error implements error. It may name addresses and what they answered.
func (f *Failure) Error() string {
	text := fmt.Sprintf("witness %s: %s", f.Witness, f.Summary())
	if f.err != nil {
		text += ": " + f.err.Error()
	}
	return text
}

// Unwrap returns the error below, if there is one.
func (f *Failure) Unwrap() error { return f.err }

// failureOf is the failure in an error of submit.
func failureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Code: CodeUnreachable, Theirs: -1, err: err}
}
