// Package dataplane carries the traffic: it is handed immutable snapshots of the
// configuration and serves listeners by the newest one. It never sees a store.
//
// # What lives where
//
// A [Snapshot] is compiled into a state: route tables, certificates by name,
// balancers with their weights. A state is immutable and stands behind one atomic
// pointer; a request loads it once and finishes on it. Parts whose objects are the
// same pointers as before are taken over from the previous state, so applying
// one change among a thousand pools compiles one pool.
//
// What must survive a change lives outside and is only pointed to by states:
//
//   - a socket, as long as any listener wants its address and port;
//   - a frontend: a listener's accept loop, its open connections and their number;
//   - a member: its active requests, health and connection pool, for as long as
//     the pool has the same key with the same address (connections to it are
//     renewed when the pool's timeouts change);
//   - counters and histograms, with the listener they count for.
//
// # How things end
//
// A listener that is removed, or whose address, port or protocol changes, stops
// accepting; its connections finish what they do on the last state that had the
// listener, within Options.DrainTimeout: each response says that its connection
// closes, and what stays idle is closed after a moment. A socket that another listener of the same
// snapshot wants is handed over without being closed. Changed timeouts and
// limits of a listener hold for connections accepted afterwards, except the number
// of connections, which holds at once. A changed certificate or TLS version
// holds for handshakes that begin afterwards.
//
// A member that is removed, drained or disabled gets nothing new and finishes
// what it has, however long that takes; idle connections to a removed one are closed.
//
// # Locks
//
// Requests take no lock of the engine. Engine.mu is held by Apply, Reserve, Status,
// Shutdown and the retry of a bind, and protects sockets and frontends. Each
// frontend has a lock for its connections, each balancer one for its rotation.
// A lock is never held while another kind is taken except in this order: Engine.mu,
// frontend.mu. Probes report health without any of these.
//
// # Requests
//
// This version stands on net/http and [net/http/httputil.ReverseProxy] and speaks
// HTTP/1.1; HTTP/2 is off. Headers that tell a member who the client is
// (X-Forwarded-*, Forwarded, X-Real-IP, also when written with underscores) are
// dropped when a client sends them; X-Forwarded-For, -Host and -Proto are set.
// The header limit is net/http's, which lets 4 KiB more pass. Only upgrades to WebSocket pass. CONNECT is refused. A request is never sent
// twice, except that net/http repeats one without body and of an idempotent method
// whose reused connection turns out to be closed before any answer (RFC 9110 §9.2.2).
package dataplane
