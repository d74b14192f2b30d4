package audit

import (
	"bytes"
	"strconv"
	"time"
)

// header is what verification compares of a canonical header. Its texts point
// into the leaf.
type header struct {
	seq    int64
	micros int64

	kind, outcome, owner, actor, ticket, run, workspace, resource, effect, bodyDigest []byte
}

// columnsMatch reports whether an entry with this header has these columns, as
// [ColumnsOf] says.
func (h *header) columnsMatch(c *Columns) bool {
	effect := ""
	if found := Type(h.kind) == TypePlan || Type(h.kind) == TypeDrift; found && string(h.outcome) == OutcomeOK {
		effect = string(h.effect)
	}
	return c.TimeMicros == h.micros &&
		string(c.Type) == string(h.kind) &&
		c.Refused == (string(h.outcome) == OutcomeRefused) &&
		c.Actor == string(h.actor) &&
		c.Ticket == string(h.ticket) &&
		c.Run == string(h.run) &&
		c.Workspace == string(h.workspace) &&
		c.Owner == string(h.owner) &&
		c.Resource == string(h.resource) &&
		c.Effect == effect
}

// changesState is [Entry.ChangesState].
func (h *header) changesState() bool {
	e := Entry{Type: Type(h.kind), Outcome: string(h.outcome)}
	if e.Type == TypeDrift {
		e.Resource = string(h.resource)
	}
	return e.ChangesState()
}

// maxExact is the greatest integer up to which canonical JSON writes every one
// exactly (RFC 8785 §3.2.2.3).
const maxExact = 1 << 53

// scanHeader reads a leaf in one pass. What it accepts, [ParseLeaf] accepts and
// reads alike. It does not know rare forms that ParseLeaf accepts too: escapes in
// texts, integers that are negative or over maxExact, years before 1970, names
// of claims beyond ASCII.
func scanHeader(leaf []byte, h *header) bool {
	*h = header{}
	s := scanner{b: leaf}
	s.open()
	if s.must(`"actor":`) {
		s.open()
		s.optional(`"credential":`)
		s.optional(`"issuer":`)
		h.actor = s.text(`"name":`)
		s.optional(`"provider":`)
		s.optional(`"role":`)
		s.optional(`"subject":`)
		s.close()
	}
	s.positive(`"base":`)
	h.bodyDigest = s.optional(`"body_digest":`)
	s.optional(`"code":`)
	h.effect = s.optional(`"effect_digest":`)
	s.yes(`"emergency":`)
	s.optional(`"op":`)
	h.outcome = s.text(`"outcome":`)
	h.owner = s.optional(`"owner":`)
	s.positive(`"plan":`)
	if s.key(`"request":`) {
		s.open()
		s.optional(`"body_digest":`)
		s.text(`"id":`)
		s.text(`"method":`)
		s.text(`"path":`)
		s.optional(`"source_ip":`)
		s.optional(`"user_agent":`)
		s.close()
	}
	h.resource = s.optional(`"resource":`)
	if s.key(`"rollback":`) {
		s.open()
		s.optional(`"run":`)
		s.positive(`"to":`)
		s.close()
	}
	if s.key(`"run":`) {
		s.open()
		h.run = s.text(`"id":`)
		if s.key(`"proved":`) {
			s.claims()
		}
		if s.must(`"verified":`) && !s.word("true") && !s.word("false") {
			s.bad = true
		}
		h.workspace = s.optional(`"workspace":`)
		s.close()
	}
	if s.must(`"seq":`) {
		h.seq = s.integer()
	}
	h.ticket = s.optional(`"ticket":`)
	h.micros = s.time(s.text(`"time":`))
	h.kind = s.text(`"type":`)
	s.yes(`"unplanned":`)
	if s.must(`"v":`) {
		s.integer()
	}
	s.close()
	return !s.bad && s.at == len(leaf)
}

// orderOf reads seq and time of a canonical header, and nothing else. The names of
// members with their quotes can't stand in a text, where quotes are escaped; and no
// object comes after these two members.
func orderOf(leaf []byte) (seq, micros int64, ok bool) {
	const timeKey, seqKey = `,"time":"`, `,"seq":`
	at := timeAt(leaf, timeKey)
	if at < 0 {
		return 0, 0, false
	}
	text := leaf[at:]
	end := bytes.IndexByte(text, '"')
	if end < 0 {
		return 0, 0, false
	}
	if micros, ok = parseTime(text[:end]); !ok {
		// A rare form: what reads every one is asked.
		t, err := time.Parse(time.RFC3339Nano, string(text[:end]))
		if err != nil {
			return 0, 0, false
		}
		micros = t.UnixMicro()
	}
	leaf = leaf[:at-len(timeKey)]
	if at = bytes.LastIndex(leaf, []byte(seqKey)); at < 0 {
		return 0, 0, false
	}
	number, _, _ := bytes.Cut(leaf[at+len(seqKey):], []byte(","))
	s := scanner{b: number}
	if seq = s.integer(); s.bad || s.at != len(number) {
		var err error
		seq, err = strconv.ParseInt(string(number), 10, 64)
		return seq, micros, err == nil
	}
	return seq, micros, true
}

// timeAt is where the time of a canonical header begins, or -1. Found from the end:
// before its text come eight quotes, or ten with "unplanned", if none is escaped.
func timeAt(leaf []byte, key string) int {
	end := len(leaf)
	for n := 1; n <= 10; n++ {
		if end = bytes.LastIndexByte(leaf[:end], '"'); end < 0 {
			return -1
		}
		if at := end + 1; n >= 8 && at >= len(key) && string(leaf[at-len(key):at]) == key {
			return at
		}
	}
	if at := bytes.LastIndex(leaf, []byte(key)); at >= 0 {
		return at + len(key)
	}
	return -1
}

// headerOf is the header that scanHeader would have read of an entry.
func headerOf(e *Entry) header {
	return header{
		seq: e.Seq, micros: e.Time.UnixMicro(),
		kind: []byte(e.Type), outcome: []byte(e.Outcome), actor: []byte(e.Actor.Name), ticket: []byte(e.Ticket), run: []byte(e.RunID()),
		workspace: []byte(e.WorkspaceName()), owner: []byte(e.Owner),
		resource: []byte(e.Resource), effect: []byte(e.EffectDigest), bodyDigest: []byte(e.BodyDigest),
	}
}
