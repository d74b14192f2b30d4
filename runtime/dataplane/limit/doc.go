// Package limit bounds what clients and retries may use.
//
// A client is an IPv4 address, or the /64 network of an IPv6 address.
//
// Everything here is the live side of a limit: it outlives configurations, which
// say how much is allowed each time they ask. Memory is bounded whatever the
// network sends. All methods are safe for concurrent use.
package limit
