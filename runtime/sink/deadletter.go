package sink

import (
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// deadLetter is a message that was refused for good, as a line of JSON.
type deadLetter struct {
	Sink string `json:"sink"`
	Seq  int64  `json:"seq"`
	// Time is when it was given up.
	Time time.Time `json:"time"`
	// Status is the receiver's, of HTTP, and Reason a phrase of ours.
	Status   int    `json:"status,omitzero"`
	Reason   string `json:"reason"`
	Attempts int    `json:"attempts"`
	// Payload is what was sent of the entry.
	Payload jsontext.Value `json:"payload"`
}

// bury writes what was refused to the dead letters, and returns once it is on stable
// storage.
func (s *stream) bury(batch []message, why *rejected, attempts int) error {
	now := s.now().UTC()
	var text []byte
	for i := range batch {
		line, err := marshal(deadLetter{
			Sink: s.cfg.Name, Seq: batch[i].seq(), Time: now, Status: why.status, Reason: why.detail, Attempts: attempts,
			Payload: batch[i].payload,
		})
		if err != nil {
			return failed(codeDeadLetters, "entry %d can't be written as a dead letter", batch[i].seq())
		}
		text = append(append(text, line...), '\n')
	}
	err := os.MkdirAll(filepath.Dir(s.dead.path), 0o700)
	if err == nil {
		err = s.dead.append(text)
	}
	if err != nil {
		return failed(codeDeadLetters, "%s can't be written: %s", s.dead.path, reason(err))
	}
	return nil
}
