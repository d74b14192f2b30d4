// Package dataplane carries the traffic: it is handed immutable snapshots of the
// configuration and serves listeners by the newest one. It never sees a store.
//
// # What lives where
//
// A [Snapshot] is compiled into a state: route tables, certificates by name,
// balancers with their weights. A state is immutable and stands behind one atomic
// pointer; a request loads it once and finishes on it. Parts whose objects are the
// same pointers as before are taken over from the previous state, so applying
// one change among ten thousand pools compiles one pool.
//
// What must survive a change lives outside and is only pointed to by states:
//
//   - a socket, as long as any listener wants its address and port;
//   - a frontend: a listener's accept loop, its open connections and their number;
//   - a member: its active requests, health, ejections and connections, for as long as
//     the pool has the same key with the same address (connections to it are
//     renewed when the pool's timeouts, TLS or version of HTTP change);
//   - a pool's retry budget and queue, a listener's session tickets, rates and counters.
//
// # A request over HTTP/1.1
//
// Each client's connection has a goroutine, which runs a loop inside one wait of the
// network poller (package rawconn): http1Conn reads a head, has it parsed in place
// (package http1), and lets an exchange serve it. The exchange looks for the route,
// asks the pool's balancer for a member, takes a connection to it (package upstream),
// writes the request and reads the answer on the same goroutine, and hands the
// answer to the client's half. All memory of a request is one workspace out of a pool,
// given back before the connection waits again; a connection that waits for longer
// than a moment is parked without even a goroutine.
//
// A request whose body has not arrived with its head leaves that loop: a second
// goroutine (sending) carries the body, since the response may begin before its end.
// Bodies that are large and of known length go from socket to socket by splice(2).
//
// HTTP/2, to clients and to members, is golang.org/x/net/http2's; an exchange sees it
// through the same two interfaces, client and response.
//
// # How things end
//
// A listener that is removed, or whose address, port or protocol changes, stops
// accepting; its connections finish what they do on the last state that had the
// listener, within Options.DrainTimeout: each response says that its connection
// closes, and what stays idle is closed after a moment. A socket that another listener of the same
// snapshot wants is handed over without being closed. Changed timeouts and
// limits of a listener hold for requests that begin afterwards, and its number of
// connections at once. A changed certificate or TLS version
// holds for handshakes that begin afterwards.
//
// A member that is removed, drained or disabled gets nothing new and finishes
// what it has, however long that takes; idle connections to a removed one are closed.
//
// A client that leaves while its member is still thinking is noticed within two
// seconds, and the member's work is cancelled. One that has only ended its half gets
// what is answered within half a second to a second and a half; later it is taken to
// have left.
//
// # What is never guessed
//
// A message whose framing is ambiguous is refused with 400 and its connection closed;
// one from a member is answered 502. What is sent on is written anew from what was
// understood, so each request that we accept leaves as exactly one. A request is sent
// a second time only if it can't have been acted upon, or is idempotent (RFC 9110
// §9.2.2) and no part of its body was taken from the client's connection.
//
// Headers that tell a member who the client is (X-Forwarded-*, Forwarded, X-Real-IP,
// also when written with underscores) are dropped unless they come from one of the
// listener's trusted proxies, and set anew. Only upgrades to WebSocket pass. CONNECT
// is refused.
//
// # Locks
//
// Requests take no lock of the engine. Engine.mu is held by Apply, Reserve, Status,
// Shutdown and the retry of a bind, and protects sockets and frontends. Each
// frontend has a lock for its list of connections, taken when one opens and closes;
// each member has one for its idle connections. A lock is never held while another
// kind is taken except in this order: Engine.mu, frontend.mu. Probes report health
// without any of these.
package dataplane
