package lb

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of the attributes that every object has.
const (
	MaxOwnerLength      = 128
	MaxLabels           = 64
	MaxLabelKeyLength   = 63
	MaxLabelValueLength = 256
)

// Meta holds the attributes that every object has besides its name.
type Meta struct {
	// Owner is who is called about this object: a team, an address, a rota.
	// Required, 1 to MaxOwnerLength bytes.
	Owner string `json:"owner"`
	// Labels are free keys and values to find objects by.
	Labels map[string]string `json:"labels"`
}

var labelKeyPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)

func (m *Meta) normalize() {
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
}

func (m *Meta) validate(c checker) {
	if m.Owner == "" {
		c.at("owner").fail("is required: name the team or person to call about this object")
	}
	checkText(c.at("owner"), m.Owner, MaxOwnerLength)
	labels := c.at("labels")
	if len(m.Labels) > MaxLabels {
		labels.fail("has %d labels; at most %d are allowed", len(m.Labels), MaxLabels)
	}
	for _, k := range slices.Sorted(maps.Keys(m.Labels)) {
		at := labels.at(k)
		if len(k) > MaxLabelKeyLength || !labelKeyPattern.MatchString(k) {
			at.fail("label keys are 1 to %d letters, digits, '.', '_', '/' or '-', beginning and ending with a letter or digit", MaxLabelKeyLength)
		}
		checkText(at, m.Labels[k], MaxLabelValueLength)
	}
}

// HoldsPrivateKey reports whether a text has a private key in PEM in it, or the
// beginning or end of one.
func HoldsPrivateKey(text string) bool { return strings.Contains(text, pemTypePrivateKeyWord+"-----") }

// checkText holds a free text to a length and to printable characters, so that
// a terminal or a log line cannot be confused by what a user wrote.
func checkText(c checker, s string, maxBytes int) {
	if len(s) > maxBytes {
		c.fail("is %d bytes long; at most %d are allowed", len(s), maxBytes)
	}
	if HoldsPrivateKey(s) {
		c.fail("must not contain a private key")
	}
	if !utf8.ValidString(s) {
		c.fail("must be valid UTF-8")
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			c.fail("must not contain control or invisible characters (%U)", r)
			return
		}
	}
}
