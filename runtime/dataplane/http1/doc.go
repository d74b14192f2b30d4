// Package http1 reads and writes what HTTP/1.1 puts around content: heads and the
// chunked coding (RFC 9112). It does no I/O and works on the caller's buffers: what
// it returns points into them, and parsing allocates nothing once a [Request], a
// [Response] or a [ChunkedReader] has been used before.
//
// # One reading or none
//
// Request smuggling lives where two parsers read the same bytes differently. So
// there is no lenient mode: a message with more than one reading is refused, also
// where RFC 9112 would allow a recipient to repair it.
//
//   - A line ends with CRLF. A bare LF, a bare CR and a folded line are refused.
//   - Names are tokens with the colon right behind. Values hold no control but HTAB.
//   - Transfer-Encoding is exactly "chunked", once, in HTTP/1.1, and never beside
//     Content-Length. Content-Length is one decimal number in one field; a response
//     may repeat that field to the letter.
//   - A target is visible ASCII without a fragment: members differ in whether other
//     bytes are Latin-1 or UTF-8, so a route could not tell what a path means.
//     Escapes in a path are complete (RFC 3986 §2.1); a query is opaque.
//   - A host is a DNS name, which may have underscores, or an IP literal. RFC 3986
//     §3.2.2 admits more that no server answers to, such as escapes and commas.
//   - Content_Length and Transfer_Encoding are refused: members that make variables
//     of names (RFC 3875 §4.1.18) would take them for the real ones.
//
// # What is not forwarded
//
// [Field.Hop] marks fields that end at this hop: those of RFC 9110 §7.6.1
// (Connection, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade), those
// of authentication with a proxy (§11.7), and whatever Connection nominates. A
// nomination removes no field that others rely on (framing, routing, identity,
// credentials, conditions, caching): whoever wants such a field gone before it
// reaches a member is attacking.
package http1
