package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Log is the read side of the log that the server answers from.
type Log interface {
	audit.Source
	control.Reader
}

// Logins verifies a token of an identity provider. Its errors are
// [*oidc.Rejected] and [*oidc.Unavailable].
type Logins interface {
	Verify(ctx context.Context, raw string) (identity.Login, error)
}

// Options are what a server works with.
type Options struct {
	Controller *control.Controller
	Log        Log
	Logger     *slog.Logger
	// Registry is where metrics are registered and served from.
	Registry *prometheus.Registry
	// DataPlane returns the revision that traffic runs on and what is wrong
	// with it, for /readyz.
	DataPlane func() (revision int64, problems []string)
	// Logins verifies the tokens of identity providers; nil when none is trusted.
	Logins Logins
	// Certificates maps client certificates to actors.
	Certificates identity.CertificateRules
	// Witnesses says how things stand with the log's witnesses; nil when it has none.
	Witnesses func() (witnesses []api.LogWitness, alarm bool)
	// PublicEntries lets anybody read the entries' headers at /tlog/; their hashes
	// anybody can.
	PublicEntries bool
	// Sinks tells how the streams of the log are doing; nil when there are none.
	Sinks func() []api.Sink
	// Bodies finds bodies that are not in the log any more; nil is nowhere.
	Bodies Bodies
	// Traffic says what the data plane did; ok is false when nothing is known of the one
	// series that was asked for. Nil: nothing is counted.
	Traffic func(api.TrafficQuery) (answer *api.Traffic, ok bool)
	// Feed is told when the log has grown; nil is one that never is.
	Feed *Feed
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Bounds of a call.
const (
	maxRequestBytes = lb.MaxObjectBytes + lb.MaxPrivateKeyBytes + 64<<10
	// maxStrangerBytes bounds the body of a call that anybody may make.
	maxStrangerBytes = 32 << 10
	// decisionTimeout bounds the wait for the write path.
	decisionTimeout = 20 * time.Second
)

// server holds what handlers share. It has no state but what bounds strangers, and what
// was read.
type server struct {
	Options
	metrics  metrics
	failures *failures
	streams  streams
	tiles    *tiles
	// addresses are Terraform's.
	addresses runAddresses
	// undoing has a place for each rollback that is worked out, for those who may change
	// something, and looking for the others.
	undoing, looking chan struct{}
}

// handler answers one operation. A *api.Problem is answered as it is; any other
// error is logged and answered as an internal one.
type handler func(*server, *call) (*answer, error)

// answer is what a handler returns.
type answer struct {
	status int
	body   any // marshalled, unless it is raw
	raw    []byte
	etag   string
	header http.Header
	// stream, if not nil, writes the body.
	stream stream
}

// New returns the handler of the management API.
func New(opts Options) http.Handler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Feed == nil {
		opts.Feed = &Feed{}
	}
	s := &server{Options: opts, metrics: newMetrics(opts.Registry), failures: newFailures(), streams: streams{by: map[string]int{}}, tiles: newTiles(opts.Log), addresses: runAddresses{by: map[string]map[string]string{}}, undoing: make(chan struct{}, maxUndoing), looking: make(chan struct{}, maxUndoing)}
	mux := http.NewServeMux()
	for _, op := range api.Operations {
		switch op.ID {
		case "metrics":
			mux.Handle(op.Method+" "+op.Path, promhttp.HandlerFor(opts.Registry, promhttp.HandlerOpts{}))
		case "entryBundle":
			op.Open = opts.PublicEntries
			mux.Handle(op.Method+" "+op.Path, s.operation(op))
		default:
			mux.Handle(op.Method+" "+op.Path, s.operation(op))
		}
	}
	mux.Handle("/", s.notFound(mux))
	return s.cleanPaths(mux)
}

// handlers by operation id; objects are answered by operation id without the kind.
var handlers = map[string]handler{
	"plan":              (*server).plan,
	"listRuns":          (*server).listRuns,
	"putRun":            (*server).putRun,
	"getRun":            (*server).getRun,
	"listEntries":       (*server).listEntries,
	"getEntry":          (*server).getEntry,
	"proveEntry":        (*server).proveEntry,
	"getLog":            (*server).getLog,
	"streamEvents":      (*server).streamEvents,
	"openTicket":        (*server).openTicket,
	"listTickets":       (*server).listTickets,
	"getTicket":         (*server).getTicket,
	"amendTicket":       (*server).amendTicket,
	"actOnTicket":       (*server).actOnTicket,
	"listTicketEffects": (*server).listTicketEffects,
	"openSession":       (*server).openSession,
	"explainAccess":     (*server).explainAccess,
	"createToken":       (*server).createToken,
	"listTokens":        (*server).listTokens,
	"revokeToken":       (*server).revokeToken,
	"whoami":            (*server).whoami,
	"listSinks":         (*server).listSinks,
	"getRunReport":      (*server).getRunReport,
	"putRunAddresses":   (*server).putRunAddresses,
	"getState":          (*server).getState,
	"getDiff":           (*server).getDiff,
	"listDrift":         (*server).listDrift,
	"seeDrift":          (*server).seeDrift,
	"acceptDrift":       (*server).acceptDrift,
	"rollBack":          (*server).rollBack,
	"getTraffic":        (*server).getTraffic,
	"openapi":           (*server).openapi,
	"checkpoint":        (*server).checkpoint,
	"tile":              (*server).tile,
	"entryBundle":       (*server).entryBundle,
	"healthz":           (*server).healthz,
	"readyz":            (*server).readyz,
}

// objectHandlers by method and whether the path names an object.
func objectHandler(op api.Operation) handler {
	switch {
	case op.Method == http.MethodPut:
		return (*server).putObject
	case op.Method == http.MethodDelete:
		return (*server).deleteObject
	case op.Path == "/v1/"+op.Kind.Plural():
		return (*server).listObjects
	case op.Path == "/v1/"+op.Kind.Plural()+"/{name}/history":
		return (*server).objectHistory
	case op.Path == "/v1/"+op.Kind.Plural()+"/{name}/blame":
		return (*server).objectBlame
	}
	return (*server).getObject
}

// HTTPServer returns an HTTP server for the handler, with the timeouts that a
// hostile network asks for.
func HTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}
