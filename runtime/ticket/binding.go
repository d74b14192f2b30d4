package ticket

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// MaxEffects bounds the effects that a ticket can be bound to, and maxBindingBytes
// what they take.
const (
	MaxEffects      = 2000
	maxBindingBytes = 1 << 20
)

// Binding ties a ticket to what a run planned: "approve exactly this".
type Binding struct {
	// Run is the run whose plans are meant.
	Run string `json:"run"`
	// Digest is what approvers sign off: the effects, and the terms on which they
	// are permitted, see [Ticket.seal].
	Digest string `json:"digest"`
	// Effects are in order of address and operation.
	Effects []Effect `json:"effects"`
}

// Effect is one planned change.
type Effect struct {
	Address string `json:"address"`
	Op      lb.Op  `json:"op"`
	// Digest is the effect digest of the plan.
	Digest string `json:"digest"`
	// Unknown lists the paths whose values the plan did not know: an apply may
	// fill in whatever it will there.
	Unknown []string `json:"unknown,omitzero"`
	// Plan is the entry that holds the plan.
	Plan int64 `json:"plan"`
}

// size is about how many bytes an effect takes in a ticket.
func (e *Effect) size() int {
	n := len(e.Address) + 160
	for _, pointer := range e.Unknown {
		n += len(pointer) + 3
	}
	return n
}

// Bind makes the binding to a run's effects. Of several plans of one operation
// on one object the newest counts. An error says what is wrong with the set.
func Bind(run string, effects []Effect) (*Binding, error) {
	newest, size := map[string]Effect{}, 0
	for _, e := range effects {
		key := e.Address + " " + string(e.Op)
		if held, ok := newest[key]; !ok || held.Plan < e.Plan {
			newest[key] = e
		}
	}
	for _, e := range newest {
		size += e.size()
	}
	if len(newest) == 0 {
		return nil, lb.Violations{{Pointer: "/run", Detail: fmt.Sprintf("run %s has planned nothing that could be approved; plan first", run)}}
	}
	if len(newest) > MaxEffects || size > maxBindingBytes {
		return nil, lb.Violations{{Pointer: "/run", Detail: fmt.Sprintf("run %s plans %d changes; a ticket is bound to at most %d, or to fewer with many values that are not known: use a scope, or split the run", run, len(newest), MaxEffects)}}
	}
	b := &Binding{Run: run, Effects: make([]Effect, 0, len(newest))}
	for _, e := range newest {
		b.Effects = append(b.Effects, e)
	}
	slices.SortFunc(b.Effects, byAddress)
	return b, nil
}

// terms are what an approver agrees to besides the effects.
type terms struct {
	Type              Type      `json:"type"`
	Scope             Scope     `json:"scope"`
	NotBefore         time.Time `json:"not_before"`
	NotAfter          time.Time `json:"not_after"`
	RequiredApprovals int       `json:"required_approvals"`
	MaxUses           int       `json:"max_uses"`
	SeparateApplier   bool      `json:"separate_applier"`
	OverrideConflicts bool      `json:"override_conflicts,omitzero"`
	Effects           []Effect  `json:"effects"`
}

// seal gives a binding its digest: the hex SHA-256 of the canonical JSON (RFC 8785)
// of the ticket's terms and the effects without their plans. The same set on the
// same terms has one digest, whoever planned it and when; a longer window is
// another.
func (t *Ticket) seal() {
	if t.Binding == nil {
		return
	}
	sealed := *t.Binding
	sealed.Digest = digestOf(terms{
		t.Type, t.Scope, t.NotBefore, t.NotAfter, t.RequiredApprovals, t.MaxUses, t.SeparateApplier, t.OverrideConflicts, setOf(t.Binding.Effects),
	})
	t.Binding = &sealed
}

// SetDigest is the hex SHA-256 of the canonical JSON (RFC 8785) of a set of effects
// without their plans, in order of address and operation: on whatever terms they are
// permitted, whoever planned them and when.
func SetDigest(effects []Effect) string {
	set := setOf(effects)
	slices.SortFunc(set, byAddress)
	return digestOf(set)
}

// setOf are effects without what does not make them another set.
func setOf(effects []Effect) []Effect {
	set := append([]Effect{}, effects...)
	for i := range set {
		set[i].Plan = 0
		set[i].Unknown = slices.Sorted(slices.Values(set[i].Unknown))
	}
	return set
}

func digestOf(v any) string {
	canonical, err := lb.Canonical(v)
	if err != nil {
		panic(fmt.Sprintf("ticket: terms that can't be encoded: %v", err)) // texts and numbers always can
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

func byAddress(x, y Effect) int {
	return cmp.Or(cmp.Compare(x.Address, y.Address), cmp.Compare(x.Op, y.Op))
}

// For returns the effect that an operation on an address is held to, or nil when
// the binding has none.
func (b *Binding) For(op lb.Op, address string) *Effect {
	i, found := slices.BinarySearchFunc(b.Effects, address, func(e Effect, a string) int {
		return cmp.Or(cmp.Compare(e.Address, a), cmp.Compare(e.Op, op))
	})
	if !found {
		return nil
	}
	return &b.Effects[i]
}
