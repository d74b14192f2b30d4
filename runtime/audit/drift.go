package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// DriftKind is how an object is not as a workspace left it. It is the operation of
// an entry that says so.
type DriftKind string

// The kinds of drift.
const (
	// DriftChanged: something else changed it.
	DriftChanged DriftKind = "changed"
	// DriftDeleted: it is gone.
	DriftDeleted DriftKind = "deleted"
	// DriftRecreated: it was deleted, and another one of its name was made.
	DriftRecreated DriftKind = "recreated"
	// DriftAdopted: another workspace manages it too.
	DriftAdopted DriftKind = "adopted"
	// DriftImported: the workspace took it over as it was, and has not changed it since.
	DriftImported DriftKind = "imported"
)

// DriftKinds lists the kinds of drift.
var DriftKinds = []DriftKind{DriftChanged, DriftDeleted, DriftRecreated, DriftAdopted, DriftImported}

// What is done to drift that is to be ignored for a while.
const (
	OpAcceptDrift   = "accept"
	OpWithdrawDrift = "withdraw"
)

// Sighting is what a drift entry about an object holds: somebody looked, and saw
// that the object is not as a workspace left it. It changes nothing.
type Sighting struct {
	Workspace string    `json:"workspace"`
	Kind      DriftKind `json:"kind"`
	// Baseline is the revision at which the workspace left the object; 0 for one that
	// it imported.
	Baseline int64 `json:"baseline,omitzero"`
	// Revision is the entry that changed the object last, and Last who that was.
	Revision int64      `json:"revision"`
	Last     LastChange `json:"last_change"`
	// Owner is the object's.
	Owner string `json:"owner,omitzero"`
	// Changes counts the changes since the baseline.
	Changes int `json:"changes,omitzero"`
	// Managers are the other workspaces that manage the object, sorted.
	Managers []string `json:"managers,omitzero"`
}

// driftDomain keeps digests of sightings apart from those of effects.
const driftDomain = "auditlb drift\n"

// Digest identifies what was seen, whoever saw it and however often: by workspace,
// address, baseline, revision and kind.
func (s Sighting) Digest(address string) (string, error) {
	b, err := lb.Canonical(map[string]any{
		"workspace": s.Workspace, "address": address, "baseline": s.Baseline, "revision": s.Revision, "kind": s.Kind,
	})
	if err != nil {
		return "", fmt.Errorf("drift digest: %w", err)
	}
	sum := sha256.Sum256(append([]byte(driftDomain), b...))
	return hex.EncodeToString(sum[:]), nil
}

// Manages reports whether by this entry its run's workspace manages the object: it
// changed or imported it.
func (e *Entry) Manages() bool {
	return e.Outcome == OutcomeOK && e.WorkspaceName() != "" &&
		(e.Type == TypeApply || e.Type == TypeDrift && e.Op == string(DriftImported))
}

// AcceptedDrift is the state of an acceptance: drift that is left out of lists and
// warnings until it ends, or the object changes again.
type AcceptedDrift struct {
	Workspace string    `json:"workspace"`
	Address   string    `json:"address"`
	Kind      DriftKind `json:"kind"`
	Revision  int64     `json:"revision"`
	Until     time.Time `json:"until"`
	Ticket    string    `json:"ticket"`
	Reason    string    `json:"reason"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
}

const (
	driftPrefix = "drift/"
	// maxDriftKey bounds a workspace's name in a resource, in bytes.
	maxDriftKey = 100
)

// DriftResource is the resource of an acceptance: drift/WORKSPACE/ADDRESS. A long
// workspace's name ends in a digest of the whole instead.
func DriftResource(workspace, address string) string {
	if len(workspace) > maxDriftKey {
		sum := sha256.Sum256([]byte(workspace))
		workspace = Text(workspace, maxDriftKey-33) + "~" + hex.EncodeToString(sum[:16])
	}
	return driftPrefix + workspace + "/" + address
}

// isAcceptance tells acceptances from sightings, which are about objects.
func isAcceptance(resource string) bool { return strings.HasPrefix(resource, driftPrefix) }
