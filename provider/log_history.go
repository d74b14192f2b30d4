package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	// complained is set once it was reported that the log's history is not what
	// it was: every object would say the same.
	complained atomic.Bool
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

// remember keeps the log's newest checkpoint with an object that was written.
func (c *connection) remember(ctx context.Context, private privateWriter, diags *diag.Diagnostics) {
	seen, err := c.history.Latest(ctx)
	if err != nil {
		c.complain(diags, err)
		return
	}
	c.keep(ctx, private, seen, diags)
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
func (c *connection) checkHistory(ctx context.Context, from privateReader, to privateWriter, diags *diag.Diagnostics) bool {
	value, found := from.GetKey(ctx, privateSeen)
	diags.Append(found...)
	var seen client.Seen
	if len(value) == 0 || json.Unmarshal(value, &seen) != nil {
		if to != nil {
			c.remember(ctx, to, diags)
		}
		return true
	}
	err := c.history.Check(ctx, seen)
	if err != nil {
		c.complain(diags, err)
	}
	return err == nil
}

// complain reports once that the log's history is not what it was, or could not
// be checked.
func (c *connection) complain(diags *diag.Diagnostics, err error) {
	if !c.complained.Swap(true) {
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
			" The log says so itself, in entry %d. Changes that were made after the state it went back to are lost, so review the plan with care. To accept it, set log_public_key in the provider block to its key:\n\n%s",
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
