package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/time/rate"
)

// DefaultRate is how many requests a second a witness answers, for all callers
// together. Others are told to come again (429).
const DefaultRate = 100

// Options are what a witness works with.
type Options struct {
	// DataDir is where it remembers what it signed. It belongs to one witness.
	DataDir string
	Key     *Key
	// Logs are the logs that it is a witness for. Several may be of one origin, with
	// different keys: a checkpoint needs one of them.
	Logs   []KnownLog
	Logger *slog.Logger
	// Rate bounds the requests a second. 0: DefaultRate.
	Rate float64
}

// KnownLog is a log that a witness signs for.
type KnownLog struct {
	// Origin is the first line of its checkpoints.
	Origin string
	// Key verifies them.
	Key note.Verifier
}

// Server is a witness. It answers add-checkpoint and the reading of checkpoints (C2SP
// tlog-witness) and /healthz.
type Server struct {
	key     *Key
	logger  *slog.Logger
	store   *store
	logs    map[string]*watched
	byHash  map[string]*watched
	limiter *rate.Limiter
	mux     *http.ServeMux
}

// watched is one log.
type watched struct {
	origin string
	keys   note.Verifiers
	// deciding is held from the look at latest until the next one is on disk: without
	// that, of two requests the one for the smaller tree could come last and win.
	deciding sync.Mutex
	// latest is what was signed last; nil when nothing was.
	latest atomic.Pointer[signed]
}

// signed is a checkpoint with the log's signatures and our own.
type signed struct {
	head
	note []byte
}

// NewServer opens a witness. It refuses to start when its memory is damaged.
func NewServer(opts Options) (*Server, error) {
	if opts.Rate == 0 {
		opts.Rate = DefaultRate
	}
	s := &Server{
		key: opts.Key, logger: opts.Logger, logs: map[string]*watched{}, byHash: map[string]*watched{},
		limiter: rate.NewLimiter(rate.Limit(opts.Rate), max(1, int(opts.Rate))), mux: http.NewServeMux(),
	}
	keys := map[string][]note.Verifier{}
	for _, l := range opts.Logs {
		keys[l.Origin] = append(keys[l.Origin], l.Key)
	}
	for origin, verifiers := range keys {
		w := &watched{origin: origin, keys: note.VerifierList(verifiers...)}
		s.logs[origin], s.byHash[originHash(origin)] = w, w
	}
	var err error
	if s.store, err = openStore(opts.DataDir); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.store.close())
	}
	s.mux.HandleFunc("POST "+addCheckpoint, s.limited(s.serveAdd))
	s.mux.HandleFunc("GET /{origin}/checkpoint", s.limited(s.serveCheckpoint))
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	return s, nil
}

// load reads what was signed, which our own signatures vouch for. What is of logs
// that are not known any more stays where it is.
func (s *Server) load() error {
	latest, err := s.store.load(func(checkpoint []byte) (string, error) {
		n, err := note.Open(checkpoint, note.VerifierList(s.key.verifier))
		if err != nil {
			return "", fmt.Errorf("it does not verify with this witness's key: %w", err)
		}
		h, err := parseHead(n.Text)
		return h.origin, err
	})
	if err != nil {
		return err
	}
	for origin, text := range latest {
		w, ok := s.logs[origin]
		if !ok {
			s.logger.Warn("a log that checkpoints were signed of is not configured", "origin", origin)
			continue
		}
		n, err := openUnverified(text)
		if err != nil {
			return err
		}
		h, err := parseHead(n.Text)
		if err != nil {
			return err
		}
		w.latest.Store(&signed{h, text})
	}
	return nil
}

// Close gives up the data directory. Nothing may be answered any more.
func (s *Server) Close() error { return s.store.close() }

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.mux.ServeHTTP(w, r)
}

func (s *Server) limited(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.limiter.Allow() {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		h(w, r)
	}
}

func (s *Server) serveAdd(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			http.Error(w, fmt.Sprintf("a request has at most %d bytes", MaxRequest), http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the request did not come to its end", http.StatusBadRequest)
		return
	}
	cosignature, err := s.add(r.Context(), body)
	var refused *refusal
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(cosignature)
	case errors.As(err, &refused) && refused.status == http.StatusConflict:
		w.Header().Set("Content-Type", sizeType)
		w.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(w, "%d\n", refused.size)
	case errors.As(err, &refused):
		http.Error(w, refused.reason, refused.status)
	default:
		s.logger.Error("checkpoint not kept, so not signed", "error", err)
		http.Error(w, "the witness can't keep what it would sign", http.StatusInternalServerError)
	}
}

func (s *Server) serveCheckpoint(w http.ResponseWriter, r *http.Request) {
	log, ok := s.byHash[r.PathValue("origin")]
	if !ok || log.latest.Load() == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(log.latest.Load().note)
}

// add decides on a request: the cosignature's line, or a *refusal, or an error of the
// disk.
func (s *Server) add(ctx context.Context, body []byte) ([]byte, error) {
	r, err := ParseRequest(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	log, ok := s.logs[originOf(r.Checkpoint)]
	if !ok {
		return nil, refuse(http.StatusNotFound, "this is no log that the witness knows")
	}
	n, next, err := log.open(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	log.deciding.Lock()
	defer log.deciding.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, refuse(http.StatusBadRequest, "the request was given up")
	}
	if refused := log.judge(&r, next); refused != nil {
		if refused.evidence != "" {
			s.keepEvidence(log, refused, n, next)
		}
		return nil, refused
	}
	full, err := note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs}, s.key.signer)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	// The signature is worth nothing to anybody before it is answered, and it is not
	// answered before we are sure to remember it.
	if err := s.store.keep(log.origin, full); err != nil {
		return nil, fmt.Errorf("%s, size %d: %w", log.origin, next.size, err)
	}
	log.latest.Store(&signed{next, full})
	s.logger.Debug("checkpoint cosigned", "origin", log.origin, "size", next.size)
	return full[bytes.LastIndexByte(full[:len(full)-1], '\n')+1:], nil
}

// keepEvidence keeps a checkpoint that its log signed and should not have. It stays
// quiet about what was kept before. The caller holds deciding.
func (s *Server) keepEvidence(log *watched, refused *refusal, n *note.Note, next head) {
	// Without the signatures that nobody checked: anyone can vary those.
	checkpoint, err := note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs})
	if err != nil {
		s.logger.Error("evidence not kept", "origin", log.origin, "error", err)
		return
	}
	path, kept, err := s.store.keepEvidence(log.origin, refused.evidence, checkpoint, refused.record(log.latest.Load(), checkpoint))
	if err != nil {
		s.logger.Error("evidence not kept", "origin", log.origin, "error", err)
	}
	if kept || err != nil {
		s.logger.Error("a log does not extend what it signed before", "origin", log.origin, "size", next.size, "root", next.root.String(),
			"signed_before", log.size(), "why", refused.reason, "evidence", path)
	}
}
