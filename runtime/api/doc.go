// Package api is the wire contract of the management API: paths, headers,
// types, problem codes and the OpenAPI document that describes them. Server and
// client both build on it, so that neither can drift from the other. It does
// no I/O.
package api
