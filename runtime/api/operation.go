package api

import (
	"net/http"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Operation is one call of the API. Server, OpenAPI document and tests are all
// made from the same [Operations].
type Operation struct {
	ID      string
	Method  string
	Path    string // a pattern of net/http's ServeMux
	Summary string
	// Kind is the kind of object the call is about, if any.
	Kind lb.Kind
	// Request and Response are values of the body's types; nil for none.
	Request, Response any
	// Success lists the statuses of success.
	Success []int
	Params  []Param
	// Open marks a call that needs no token.
	Open bool
	// Content is the response's media type when it is not JSON.
	Content string
}

// Param is a query parameter or a header.
type Param struct {
	Name, In, Description string
	Required              bool
	Integer               bool
}

func query(name, description string) Param {
	return Param{Name: name, In: "query", Description: description}
}

var (
	pageParams = []Param{
		{Name: "limit", In: "query", Description: "Size of the page.", Integer: true},
		query("cursor", "Where the page begins: `next` of the page before."),
	}
	pointText   = "A point in time: " + PointForms + ". Left out: now."
	patchParam  = query("include", "`patch` adds each entry's patch, `evidence` the entry byte for byte.")
	runHeader   = Param{Name: HeaderRun, In: "header", Description: "Id of the registered run that the call belongs to."}
	keyHeader   = Param{Name: HeaderIdempotencyKey, In: "header", Description: "A UUID. A retry with it returns the first answer and appends nothing."}
	callHeaders = []Param{runHeader, keyHeader}
	ticketParam = Param{Name: HeaderTicket, In: "header", Description: "The change ticket that permits the change. A change without one is refused and recorded."}
	ifMatch     = Param{Name: HeaderIfMatch, In: "header", Description: "The revision that the change is made to, in quotes, or `*` for whatever is there."}
	ifNoneMatch = Param{Name: HeaderIfNoneMatch, In: "header", Description: "`*` to create: the object must not exist. A change needs this or If-Match."}
)

// Operations lists every call of the API.
var Operations = operations()

func operations() []Operation {
	ops := []Operation{
		{ID: "plan", Method: "POST", Path: "/v1/plans", Summary: "Record an intended change, validated against the live configuration.", Request: PlanRequest{}, Response: Plan{}, Params: append([]Param{ticketParam}, callHeaders...)},
		{ID: "listRuns", Method: "GET", Path: "/v1/runs", Summary: "List runs, newest first.", Response: RunList{}, Params: pageParams},
		{ID: "putRun", Method: "PUT", Path: "/v1/runs/{id...}", Summary: "Register a run. Idempotent.", Request: RunClaims{}, Response: Run{}},
		{ID: "getRun", Method: "GET", Path: "/v1/runs/{id...}", Summary: "Show a run.", Response: Run{}},
		{ID: "getRunReport", Method: "GET", Path: "/v1/run-reports/{id...}", Summary: "Show what became of what a run planned, effect by effect.", Response: RunReport{}, Params: pageParams},
		{ID: "putRunAddresses", Method: "PUT", Path: "/v1/run-addresses/{id...}", Summary: "Say what the resources of a run are called in its configuration; entries of the run then show it. Idempotent.", Request: RunAddresses{}, Response: RunAddressesKept{}},
		{ID: "listEntries", Method: "GET", Path: "/v1/entries", Summary: "Search the log, newest first.", Response: EntryList{}, Params: append([]Param{
			query("resource", "Address, such as pool/web."), query("run", "Run id."), query("ticket", "Ticket id."), query("actor", "Actor's name."),
			query("workspace", "Workspace of the entry's run."), query("owner", "Owner of the object that the entry is about."),
			query("type", "Type of entry: "+strings.Join(EntryTypes, ", ")+"; several with commas between."), query("since", "RFC 3339 time, inclusive."), query("until", "RFC 3339 time, exclusive."),
			query("text", "Part of the entry or its body as recorded, in capitals or not. Each page looks at a bounded number of entries, so it may be empty and still have a `next`; bodies that left the log are not looked at."), patchParam,
		}, pageParams...)},
		{ID: "getEntry", Method: "GET", Path: "/v1/entries/{seq}", Summary: "Show an entry with its body and patch.", Response: EntryRecord{}},
		{ID: "proveEntry", Method: "GET", Path: "/v1/entries/{seq}/proof", Summary: "Prove that an entry is in the log: the entry with its body, the path to a signed checkpoint, and the checkpoint (C2SP tlog-proof).", Content: ContentText},
		{ID: "getLog", Method: "GET", Path: "/v1/log", Summary: "Show the log's name, key and checkpoints.", Response: Log{}},
		{ID: "streamEvents", Method: "GET", Path: "/v1/events", Summary: "Follow the log: server-sent events, each with an entry's header.", Content: "text/event-stream", Params: []Param{
			query("after", "Begin after this entry's seq. Left out: with what comes next."), query("type", "Type of entry: "+strings.Join(EntryTypes, ", ")+"."),
			query("emergency", "`true`: only what was done or tried under emergency tickets."), query("follow", "`false`: end with what there is now."),
			{Name: HeaderLastEventID, In: "header", Description: "The seq of the event that was seen last, as browsers send it by themselves."},
		}},
		{ID: "openTicket", Method: "POST", Path: "/v1/tickets", Summary: "Open a change ticket.", Request: TicketRequest{}, Response: Ticket{}, Success: []int{http.StatusCreated}, Params: []Param{keyHeader}},
		{ID: "listTickets", Method: "GET", Path: "/v1/tickets", Summary: "List tickets, latest change first.", Response: TicketList{}, Params: append([]Param{query("state", "Only tickets in this state.")}, pageParams...)},
		{ID: "getTicket", Method: "GET", Path: "/v1/tickets/{id}", Summary: "Show a ticket.", Response: Ticket{}},
		{ID: "amendTicket", Method: "PUT", Path: "/v1/tickets/{id}", Summary: "Change what a ticket asks for. Unless that is the same as before, its approvals are void.", Request: TicketRequest{}, Response: Ticket{}, Params: []Param{keyHeader}},
		{ID: "listTicketEffects", Method: "GET", Path: "/v1/tickets/{id}/effects", Summary: "List what a bound ticket covers, with the differences.", Response: TicketEffectList{}, Params: pageParams},
		{ID: "actOnTicket", Method: "POST", Path: "/v1/tickets/{id}/{action}", Summary: "Submit, approve, reject, cancel, close or review a ticket.", Request: TicketAction{}, Response: Ticket{}, Params: []Param{keyHeader}},
		{ID: "createToken", Method: "POST", Path: "/v1/tokens", Summary: "Create a token. Its secret is answered once.", Request: TokenRequest{}, Response: TokenCreated{}, Success: []int{http.StatusCreated}},
		{ID: "listTokens", Method: "GET", Path: "/v1/tokens", Summary: "List tokens, without secrets.", Response: TokenList{}},
		{ID: "revokeToken", Method: "DELETE", Path: "/v1/tokens/{id}", Summary: "Revoke a token.", Response: Token{}, Params: []Param{keyHeader}},
		{ID: "openSession", Method: "POST", Path: "/v1/sessions", Summary: "Exchange an identity provider's token for a session. Its secret is answered once.", Open: true, Request: SessionRequest{}, Response: Session{}, Success: []int{http.StatusCreated}},
		{ID: "whoami", Method: "GET", Path: "/v1/whoami", Summary: "Show who the token says you are.", Response: Identity{}},
		{ID: "explainAccess", Method: "GET", Path: "/v1/access", Summary: "Say whether a change would be admitted now, and why.", Response: Access{}, Params: []Param{
			{Name: "address", In: "query", Description: "What would be changed, such as pool/web.", Required: true},
			{Name: "op", In: "query", Description: "What would be done: create, update or delete.", Required: true},
			query("ticket", "Id of the ticket that would be named."), query("as", "Name of the actor who would do it; left out: the caller."),
		}},
		{ID: "listSinks", Method: "GET", Path: "/v1/sinks", Summary: "List where the log is streamed to, with how far each has come.", Response: SinkList{}},
		{ID: "getState", Method: "GET", Path: "/v1/state", Summary: "Show the configuration at a point in time.", Response: State{}, Params: append([]Param{
			query("at", pointText), query("resource", "Only this address, such as pool/web, or this kind, such as pool."),
		}, pageParams...)},
		{ID: "getDiff", Method: "GET", Path: "/v1/diff", Summary: "Compare the configuration at two points in time.", Response: Diff{}, Params: append([]Param{
			query("from", pointText+" Of a run: just before its first change."), query("to", pointText+" Of a run: just after its last change."), query("resource", "Only this address, such as pool/web."),
		}, pageParams...)},
		{ID: "listDrift", Method: "GET", Path: "/v1/drift", Summary: "List the objects that are not as a workspace left them, by address, with who changed them.", Response: DriftList{}, Params: append([]Param{
			query("workspace", "The workspace; left out: that of the call's run, else the only one there is."), runHeader, query("resource", "Address of one object, such as pool/web."),
			query("all", "`true`: also accepted drift, and what was imported and is as it was."),
		}, pageParams...)},
		{ID: "seeDrift", Method: "POST", Path: "/v1/drift/sightings", Summary: "Ask how an object is not as the run's workspace saw it before, and record that it was seen. The same drift is one entry.", Request: DriftSightingRequest{}, Response: DriftSighting{}, Params: callHeaders},
		{ID: "acceptDrift", Method: "POST", Path: "/v1/drift/acceptances", Summary: "Have drift ignored for a while, or no longer, under a ticket that admits an update of the object.", Request: DriftAcceptanceRequest{}, Response: DriftAcceptance{}, Params: append([]Param{ticketParam}, callHeaders...)},
		{ID: "getTraffic", Method: "GET", Path: "/v1/traffic", Summary: "Show what the data plane did, over time: requests, errors and latencies of listeners and pools. In memory: counted since the start of the runtime, for at most 14 days.", Response: Traffic{}, Params: append([]Param{
			query("listener", "Name of a listener: only this one, or with a pool only what it sent there."), query("pool", "Name of a pool: only this one."),
			query("since", "RFC 3339 time, inclusive. Left out: an hour before the end."), query("until", "RFC 3339 time, exclusive. Left out: now."),
			query("step", "Length of a step, such as 30s, 5m or 1h; rounded up to what is kept of that time. Left out: such that there are at most 120."),
		}, pageParams...)},
		{ID: "rollBack", Method: "POST", Path: "/v1/rollbacks", Summary: "Take an object, what a run did, or everything back, all at once or nothing; or say with `dry_run` what that would do, and in a run record it as planned.", Request: RollbackRequest{}, Response: Rollback{}, Params: append([]Param{ticketParam}, callHeaders...)},
		{ID: "openapi", Method: "GET", Path: "/v1/openapi.json", Summary: "This document.", Open: true, Response: map[string]any{}},
		{ID: "checkpoint", Method: "GET", Path: "/tlog/checkpoint", Summary: "The log's latest signed checkpoint (C2SP tlog-checkpoint).", Open: true, Content: ContentText},
		{ID: "tile", Method: "GET", Path: "/tlog/tile/{level}/{index...}", Summary: "A tile of the log's hashes (C2SP tlog-tiles). Its index may have several segments, such as x001/234.p/7. It never changes.", Open: true, Content: ContentTile},
		{ID: "entryBundle", Method: "GET", Path: "/tlog/tile/entries/{index...}", Summary: "The headers of 256 entries, or fewer at the end (C2SP tlog-tiles). It never changes. Needs a token unless the log's entries are public.", Content: ContentTile},
		{ID: "healthz", Method: "GET", Path: "/healthz", Summary: "Whether the process is alive.", Open: true, Content: ContentText},
		{ID: "readyz", Method: "GET", Path: "/readyz", Summary: "Whether changes are accepted and every listener is bound.", Open: true, Response: Readiness{}},
		{ID: "metrics", Method: "GET", Path: "/metrics", Summary: "Metrics in the Prometheus text format.", Open: true, Content: ContentText},
	}
	for _, kind := range lb.Kinds {
		ops = append(ops, objectOperations(kind)...)
	}
	for i := range ops {
		if ops[i].Success == nil {
			ops[i].Success = []int{http.StatusOK}
		}
	}
	return ops
}

func objectOperations(kind lb.Kind) []Operation {
	capital := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	title, titles := capital(string(kind)), capital(kind.Plural())
	base := "/v1/" + kind.Plural()
	write := append([]Param{ticketParam, ifMatch}, callHeaders...)
	return []Operation{
		{ID: "list" + titles, Kind: kind, Method: "GET", Path: base, Summary: "List " + kind.Plural() + " by name.", Response: ObjectList{}, Params: pageParams},
		{ID: "get" + title, Kind: kind, Method: "GET", Path: base + "/{name}", Summary: "Show a " + string(kind) + ".", Response: Object{}},
		{ID: "put" + title, Kind: kind, Method: "PUT", Path: base + "/{name}", Summary: "Create or update a " + string(kind) + ".", Request: WriteBody(kind), Response: Object{}, Success: []int{http.StatusOK, http.StatusCreated}, Params: append(write, ifNoneMatch)},
		{ID: "delete" + title, Kind: kind, Method: "DELETE", Path: base + "/{name}", Summary: "Delete a " + string(kind) + " that nothing refers to.", Response: Deleted{}, Params: write},
		{ID: "blame" + title, Kind: kind, Method: "GET", Path: base + "/{name}/blame", Summary: "Say for each attribute of a " + string(kind) + " who set it.", Response: Blame{}, Params: []Param{query("at", pointText)}},
		{ID: "history" + title, Kind: kind, Method: "GET", Path: base + "/{name}/history", Summary: "Entries about a " + string(kind) + ", newest first.", Response: EntryList{}, Params: append([]Param{patchParam}, pageParams...)},
	}
}

// WriteBody returns a value of the type of a PUT's body for a kind.
func WriteBody(kind lb.Kind) any {
	switch kind {
	case lb.KindPool:
		return lb.Pool{}
	case lb.KindListener:
		return lb.Listener{}
	case lb.KindRoute:
		return lb.Route{}
	case lb.KindFreeze:
		return lb.Freeze{}
	case lb.KindPolicy:
		return lb.Policy{}
	}
	return CertificateWrite{}
}

// Readiness answers /readyz.
type Readiness struct {
	Ready bool `json:"ready"`
	// Revision is the configuration that traffic runs on.
	Revision int64 `json:"revision"`
	// Problems says what is not ready.
	Problems []string `json:"problems"`
}
