// Package lb is the domain of auditlb: pools, listeners, routes and
// certificates, their defaults, their validation, how they refer to each other
// and how two versions of one differ. It does no I/O and knows nothing of
// tickets, logs or sockets, so the provider, the management API and the data
// plane can share one meaning of every object.
package lb
