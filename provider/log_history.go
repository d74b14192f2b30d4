package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// connection is what resources and data sources share: the client, and what this
// process knows of the log's history. Each Terraform state is a witness of the
// log: with every object it keeps the checkpoint that was newest when the object
// was written, and the next run demands that the log still has it.
type connection struct {
	*client.Client
	history *client.LogHistory
	// run is the id of the run that this process belongs to.
	run string
	// looked holds the addresses of the objects that this process refreshed.
	looked sync.Map
	// listed are the objects that drifted, once they were asked for; listing guards it.
	listing sync.Mutex
	listed  map[string]int64
	// blind is why nothing more is asked about drift: there was no answer.
	blind atomic.Pointer[error]
	// complained is set once it was reported that the log's history is not what
	// it was, and unknown once that this could not be found out: every object would
	// say the same.
	complained, unknown atomic.Bool
}

// privateSeen is the key in a resource's private state of what was seen of the log.
const privateSeen = "log_seen"

// privateState is a resource's private state, read and written. The framework's
// types differ by request but have these methods.
type (
	privateReader interface {
		GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	}
	privateWriter interface {
		SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
	}
)

// remember keeps the log's newest checkpoint with an object that was written. That it
// can't be had just now is a warning: the object is there, and an error would have it
// replaced.
func (c *connection) remember(ctx context.Context, private privateWriter, diags *diag.Diagnostics) {
	seen, err := c.history.Latest(ctx)
	var wrong *client.HistoryError
	switch {
	case err == nil:
		c.keep(ctx, private, seen, diags)
	case errors.As(err, &wrong):
		c.complain(diags, err)
	case !c.unknown.Swap(true):
		diags.AddWarning("The change log's checkpoint was not kept",
			"What was done is done, but a later run can't tell by it whether the log was rolled back. The next refresh keeps one. The cause: "+err.Error()+".")
	}
}

func (c *connection) keep(ctx context.Context, private privateWriter, seen client.Seen, diags *diag.Diagnostics) {
	value, err := json.Marshal(seen)
	if err != nil {
		diags.AddError("Can't keep the log's checkpoint", upperFirst(err.Error())+".")
		return
	}
	diags.Append(private.SetKey(ctx, privateSeen, value)...)
}

// checkHistory holds the log to what was seen of it when an object was written.
// Where nothing was, as after an import, what is seen now is kept. To is nil
// where private state can't be written. It reports whether the log is what it was.
//
// What can't be read is as good as nothing, with a warning: it says nothing of the log,
// and who can damage it in the state can take it away as well.
func (c *connection) checkHistory(ctx context.Context, from privateReader, to privateWriter, diags *diag.Diagnostics) bool {
	value, found := from.GetKey(ctx, privateSeen)
	diags.Append(found...)
	err := errNothingSeen
	if len(value) > 0 {
		err = c.checkSeen(ctx, value)
	}
	switch {
	case errors.Is(err, client.ErrUnreadable):
		diags.AddWarning("What was seen of the change log can't be read",
			"What the state kept of the log with this object is damaged, and says nothing of it. From the next refresh on the log is held to what is seen then.")
		fallthrough
	case errors.Is(err, errNothingSeen):
		if to != nil {
			c.remember(ctx, to, diags)
		}
		return true
	case err != nil:
		c.complain(diags, err)
	}
	return err == nil
}

// errNothingSeen means that a state has nothing that the log could be held to.
var errNothingSeen = errors.New("nothing was seen of the log")

// checkSeen is [client.LogHistory.Check] for what a private state keeps.
func (c *connection) checkSeen(ctx context.Context, value []byte) error {
	var seen client.Seen
	if json.Unmarshal(value, &seen) != nil {
		return client.ErrUnreadable
	}
	return c.history.Check(ctx, seen)
}

// complain reports once that the log's history is not what it was, and once that it
// could not be checked.
func (c *connection) complain(diags *diag.Diagnostics, err error) {
	var wrong *client.HistoryError
	said := &c.unknown
	if errors.As(err, &wrong) {
		said = &c.complained
	}
	if !said.Swap(true) {
		addHistoryError(diags, err)
	}
}

// addHistoryError says what was seen of the log when, what there is now, and what
// to do about it.
func addHistoryError(diags *diag.Diagnostics, err error) {
	var wrong *client.HistoryError
	if !errors.As(err, &wrong) {
		addCallError(diags, "Can't check the change log's history", err)
		return
	}
	const evidence = "\n\nKeep this state as evidence: the checkpoint in it is signed by the log. Nothing was changed. " +
		"Ask who runs the balancer whether its log was restored from a backup; they go on with `auditlb log restart`, which says so in the log. " +
		"If nobody did, take it for an attack, and compare with witnesses and other workspaces."
	detail := upperFirst(wrong.Error()) + "."
	if wrong.Now.Checkpoint != "" && wrong.Seen.Checkpoint != "" {
		detail += fmt.Sprintf("\n\nWhat was seen:\n%s\nWhat is there now:\n%s\n", quoted(wrong.Seen.Checkpoint), quoted(wrong.Now.Checkpoint))
	}
	switch wrong.Kind {
	case client.Restarted:
		diags.AddError("The change log was restarted", detail+fmt.Sprintf(
			" Whoever answers now says so, in entry %d of this log: it is no proof, so ask who runs the balancer. Changes that were made after the state it went back to are lost, so review the plan with care. To accept it, set log_public_key in the provider block to its key:\n\n%s",
			wrong.Restart.Seq, wrong.Restart.PublicKey))
	case client.Unsigned:
		diags.AddError("The change log is not signed by a trusted key", detail+
			" If log_public_key in the provider block is meant to be of this log, take the key anew from who runs the balancer."+evidence)
	default:
		diags.AddError("The change log is not the one that was seen before", detail+evidence)
	}
}

// quoted indents a text, whose lines Terraform then leaves as they are.
func quoted(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}
