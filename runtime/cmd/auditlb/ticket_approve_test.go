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
		{api.BodyErased, "erased by policy in entry 7"},
		{api.BodyUnavailable, "can't be had"},
	} {
		var planned, shown bytes.Buffer
		printEffects(&planned, []api.TicketEffect{{Address: "pool/web", Op: lb.OpDelete, Plan: 3, BodyState: tt.state, BodyErasedBy: 7}})
		effect := api.RunEffect{Address: "pool/web", Op: lb.OpDelete, BodyState: tt.state, BodyErasedBy: 7}
		printEffectDetails(&shown, "run-1", &effect)
		for _, out := range []string{planned.String(), shown.String(), comment(&api.RunReport{Effects: []api.RunEffect{effect}})} {
			if strings.Contains(out, "can't be shown") != (tt.want != "") || !strings.Contains(out, tt.want) {
				t.Errorf("%q prints\n%s", tt.state, out)
			}
		}
	}
}
