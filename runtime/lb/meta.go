package lb

import (
	"fmt"
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
	c.at("owner").try(checkText(m.Owner, MaxOwnerLength))
	labels := c.at("labels")
	checkCount(labels, len(m.Labels), MaxLabels, "labels")
	for _, k := range slices.Sorted(maps.Keys(m.Labels)) {
		at := labels.at(k)
		if len(k) > MaxLabelKeyLength || !labelKeyPattern.MatchString(k) {
			at.fail("label keys are 1 to %d letters, digits, '.', '_', '/' or '-', beginning and ending with a letter or digit", MaxLabelKeyLength)
		}
		at.try(checkText(m.Labels[k], MaxLabelValueLength))
	}
}

// checkText holds a free text to a length and to printable characters, so that
// a terminal or a log line cannot be confused by what a user wrote.
func checkText(s string, maxBytes int) string {
	switch {
	case len(s) > maxBytes:
		return fmt.Sprintf("is %d bytes long; at most %d are allowed", len(s), maxBytes)
	case HoldsPrivateKey(s):
		return "must not contain a private key"
	case !utf8.ValidString(s):
		return "must be valid UTF-8"
	}
	if i := strings.IndexFunc(s, isInvisible); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Sprintf("must not contain control or invisible characters (%U)", r)
	}
	return ""
}

func isInvisible(r rune) bool { return !unicode.IsPrint(r) }
