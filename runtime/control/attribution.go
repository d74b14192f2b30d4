package control

import (
	"cmp"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// DefaultWorkspace is the workspace of a run that names neither a workspace nor a
// repository: Terraform's own word.
const DefaultWorkspace = "default"

// SystemCommandLine is the system that runs of the command line itself claim. They
// belong to no workspace, unless they name one.
const SystemCommandLine = "auditlb"

// Workspace is the workspace that a run belongs to: the proved one, else the claimed
// one, else its repository, else [DefaultWorkspace]; "" is none.
func (r *Run) Workspace() (string, error) {
	if r.Proof != nil && r.Proof.Facts["workspace"] != "" {
		return r.Proof.Facts["workspace"], nil
	}
	var claims struct {
		Workspace  string `json:"workspace"`
		Repository string `json:"repository"`
		System     string `json:"system"`
	}
	if err := json.Unmarshal(r.Claims, &claims); err != nil {
		return "", fmt.Errorf("claims of a run: %w", err)
	}
	if named := cmp.Or(claims.Workspace, claims.Repository); named != "" || claims.System == SystemCommandLine {
		return named, nil
	}
	return DefaultWorkspace, nil
}

// workspaceOf is the workspace of a call's run as its entry keeps it: what the run
// claims may change later. A run that is not registered has none.
func (b *batch) workspaceOf(call Call, subject Subject, body audit.Body) (string, error) {
	if call.runVerified() && call.Actor.Verified.Run.Workspace != "" {
		return call.Actor.Verified.Run.Workspace, nil
	}
	registers := subject.Resource == runPrefix+"/"+call.Run && body.Refusal == nil && body.After != nil
	if workspace, ok := b.workspaces[call.Run]; ok && !registers {
		return workspace, nil
	}
	var run Run
	if registers {
		if err := json.Unmarshal(body.After, &run); err != nil {
			return "", fmt.Errorf("run %s: %w", call.Run, err)
		}
	} else if revision, err := b.state(runPrefix+"/"+call.Run, &run); err != nil || revision == 0 {
		return "", err
	}
	workspace, err := run.Workspace()
	if err == nil {
		b.workspaces[call.Run] = workspace
	}
	return workspace, err
}

// ownerOf is who owns the object that an entry is about, or "".
func ownerOf(subject Subject, body audit.Body) string {
	if _, err := lb.ParseAddress(subject.Resource); err != nil {
		return ""
	}
	for _, object := range []jsontext.Value{body.After, body.Before} {
		var owned struct {
			Owner string `json:"owner"`
		}
		if object != nil && json.Unmarshal(object, &owned) == nil && owned.Owner != "" {
			return Recordable(owned.Owner, lb.MaxOwnerLength)
		}
	}
	return ""
}
