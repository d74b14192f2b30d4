// Package route finds the route a request belongs to, and does what a route says
// about it: draws pools, builds redirects and rewritten targets, edits headers.
//
// # Order
//
// Of all routes of a listener that match a request, the one with the highest
// priority wins; then the one with the more specific host (exact, longer wildcard,
// any); then the more specific path (exact, longer prefix, regex, any); then the one
// with more conditions (its methods count as one, each header and each query
// parameter as one more); then the first by name.
//
// # How requests are compared
//
// Hosts are compared without port, trailing dot and case. Paths are compared
// decoded, without dot segments (RFC 3986 §5.2.4) and with runs of slashes as one:
// as most servers will read them, so that /public/..%2fadmin is not /public to us
// and /admin to the member. A path with malformed percent-encoding is refused, since
// servers differ in what they make of it. A prefix ends at the border of a segment.
// A target without a path, such as the "*" of OPTIONS, meets only routes that ask for
// no path. Unless a route rewrites it, the request is forwarded as it came.
//
// A regex must match the whole of a decoded path, header value or query parameter;
// its dot also matches a line feed, or %0a would slip past. A condition on a header
// or a query parameter holds if any line or parameter of that name meets it; "absent"
// holds if there is none.
//
// # Cost
//
// A lookup takes no locks and allocates nothing. It hashes each segment of the path
// once for every host pattern that fits, as deep as routes go, whatever their number;
// only routes with the same path, and regexes that begin with the same directories,
// are tried one after the other. What a client could make expensive is bounded, see
// [MaxRegexInput] and [MaxQueryParameters].
package route
