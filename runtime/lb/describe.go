package lb

import (
	"fmt"
	"strings"
)

// Describe returns the description of an attribute, in Markdown: what it is,
// its shape, bounds and default. Path is the attribute's JSON name below the
// kind, members of maps written "*": "members.*.weight". The provider's schema,
// the OpenAPI document and the generated docs all take their words from here.
//
// It panics for a path without a description: that is a mistake in the program.
func Describe(kind Kind, path string) string {
	if text, ok := descriptions[kind][path]; ok {
		return text
	}
	if text, ok := metaDescriptions[path]; ok {
		return text
	}
	panic(fmt.Sprintf("lb: no description for %s %s", kind, path))
}

// DescribeKind returns what objects of a kind are for.
func DescribeKind(kind Kind) string { return descriptions[kind][""] }

func choice[T any](allowed []T) string { return "one of " + listed(allowed) }

func listed[T any](words []T) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = fmt.Sprintf("`%v`", w)
	}
	return strings.Join(parts, ", ")
}

func between(low, high any) string { return fmt.Sprintf("between %v and %v", low, high) }

func defaultsTo(v any) string { return fmt.Sprintf("Default: `%v`.", v) }

const durationForm = "a duration such as `500ms`, `10s` or `1m30s`"

// span describes a duration within bounds.
func span(low, high, def Duration) string {
	return durationForm + ", " + between(low, high) + ". " + defaultsTo(def)
}

// spanIfSet describes a duration that may be 0.
func spanIfSet(low, high, def Duration) string {
	return durationForm + ", " + between(low, high) + ", or `0s`. " + defaultsTo(def)
}

var metaDescriptions = map[string]string{
	"owner":    fmt.Sprintf("The team or person to call about this object. At most %d bytes.", MaxOwnerLength),
	"labels":   fmt.Sprintf("Free keys and values to find the object by. At most %d, with values of at most %d bytes.", MaxLabels, MaxLabelValueLength),
	"labels.*": fmt.Sprintf("The label's value, at most %d bytes.", MaxLabelValueLength),
}

var descriptions = map[Kind]map[string]string{
	KindPool:        poolDescriptions,
	KindListener:    listenerDescriptions,
	KindRoute:       routeDescriptions,
	KindCertificate: certificateDescriptions,
	KindFreeze:      freezeDescriptions,
	KindPolicy:      policyDescriptions,
}

var certificateDescriptions = map[string]string{
	"":                    "A certificate chain, with its private key: for listeners that speak TLS, and for members that want to know who we are.",
	"chain_pem":           fmt.Sprintf("The leaf certificate, then its issuers in order, in PEM. At most %d certificates and %d bytes. A block %#q after them, of at most %d bytes in DER, is stapled to handshakes.", MaxChainCertificates, MaxPEMBytes, pemTypeStaple, MaxStapleBytes),
	"private_key_version": "A number of yours that stands for the private key; raise it to say that there is a new key.",
	"fingerprint":         "`sha256:` and the SHA-256 of the leaf's public key (SubjectPublicKeyInfo), in hex. It stands for the private key wherever the key itself must not appear.",
	"not_before":          "When the leaf begins to be valid, RFC 3339.",
	"not_after":           "When the leaf ends to be valid, RFC 3339.",
	"dns_names":           "Names the leaf is valid for.",
	"issuer":              "Distinguished name of the leaf's issuer.",
}
