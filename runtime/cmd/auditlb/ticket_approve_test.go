package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// TestAnEffectThatCanNotBeShownSaysSo: an empty difference would look like no change.
func TestAnEffectThatCanNotBeShownSaysSo(t *testing.T) {
	for _, tt := range []struct{ state, want string }{
		{"", ""},
		{api.BodyArchived, ""},
		{api.BodyErased, "can't be shown: its plan: erased by policy in entry 7"},
		{api.BodyUnavailable, "can't be shown: its plan: can't be had"},
	} {
		effects := []api.TicketEffect{{Address: "pool/web", Op: lb.OpDelete, Plan: 3, BodyState: tt.state, BodyErasedBy: 7}}
		var plain, markdown bytes.Buffer
		printEffects(&plain, effects)
		printMarkdown(&markdown, "run-1", effects, nil)
		for _, out := range []string{plain.String(), markdown.String()} {
			if strings.Contains(out, "can't be shown") != (tt.want != "") || !strings.Contains(out, tt.want) {
				t.Errorf("%q prints\n%s", tt.state, out)
			}
		}
	}
}
