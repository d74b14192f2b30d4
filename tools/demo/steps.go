package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// demo is the steps, in their order.
type demo struct {
	*sandbox
	weights map[string]int // what the applied configuration says
}

// badTicket is a change ticket that nobody opened.
const badTicket = "CHG-NOPE"

func (d *demo) all(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.introduce, d.declare, d.serve, d.shift, d.refuse, d.history, d.takeBack, d.drift, d.verify,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.out.heading("Done: every result above was checked")
	return nil
}

func (d *demo) introduce(context.Context) error {
	d.out.heading("A balancer for development, and two backends")
	d.out.typed("auditlb dev &")
	for _, pair := range d.runtime.Env() {
		d.out.typed("export " + pair)
	}
	for _, b := range d.backends {
		d.out.note("%s answers its name on %s", b.name, b.addr)
	}
	return nil
}

func (d *demo) declare(ctx context.Context) error {
	d.out.heading("Terraform declares a pool, listeners, a route and a certificate")
	if _, err := d.terraform(ctx, nil, "init", "-input=false"); err != nil {
		return err
	}
	d.weights = map[string]int{"backend-a": 1, "backend-b": 1}
	if _, err := d.terraform(ctx, nil, append([]string{"plan", "-input=false", "-out=web.tfplan"}, d.weightFlags()...)...); err != nil {
		return err
	}
	return d.expectOutput("Apply complete!")(d.terraform(ctx, nil, "apply", "-input=false", "web.tfplan"))
}

func (d *demo) serve(ctx context.Context) error {
	d.out.heading("Traffic flows")
	return d.expectShares(ctx, d.weights)
}

func (d *demo) shift(ctx context.Context) error {
	d.out.heading("A weight changes; the shares follow")
	d.weights = map[string]int{"backend-a": 1, "backend-b": 3}
	if err := d.expectOutput("1 changed")(d.apply(ctx, nil)); err != nil {
		return err
	}
	if err := d.expectShares(ctx, d.weights); err != nil {
		return err
	}
	return d.expectOutput("No changes.")(d.terraform(ctx, nil, append([]string{"plan", "-input=false"}, d.weightFlags()...)...))
}

func (d *demo) refuse(ctx context.Context) error {
	d.out.heading("A change under a ticket that doesn't exist is refused")
	applied := d.weights
	d.weights = map[string]int{"backend-a": 9, "backend-b": 1}
	output, err := d.apply(ctx, []string{"AUDITLB_CHANGE_TICKET=" + badTicket})
	if err == nil {
		return fmt.Errorf("a change under ticket %s was accepted", badTicket)
	}
	if !strings.Contains(output, "Error:") || !strings.Contains(output, badTicket) {
		return fmt.Errorf("the change failed, but not because of ticket %s", badTicket)
	}
	d.out.note("refused; traffic is as it was")
	d.weights = applied
	return d.expectShares(ctx, d.weights)
}

// entry is what the demo reads of an entry of the log.
type entry struct {
	Seq    int64  `json:"seq"`
	Type   string `json:"type"`
	Ticket string `json:"ticket"`
	Run    struct {
		ID string `json:"id"`
	} `json:"run"`
}

func (d *demo) history(ctx context.Context) error {
	d.out.heading("Who did it, when, under which ticket, in which run")
	if err := d.expectOutput(d.runtime.Ticket, badTicket)(d.auditlb(ctx, "history", "pool/web")); err != nil {
		return err
	}
	last, err := d.lastApply(ctx, "pool/web")
	if err != nil {
		return err
	}
	if err := d.expectOutput(last.Run.ID)(d.auditlb(ctx, "run", "list")); err != nil {
		return err
	}
	if err := d.expectOutput(last.Run.ID)(d.auditlb(ctx, "run", "show", last.Run.ID)); err != nil {
		return err
	}
	d.out.note("the diff of the last change")
	return d.expectOutput("weight", last.Run.ID, last.Ticket)(d.auditlb(ctx, "show", strconv.FormatInt(last.Seq, 10)))
}

func (d *demo) takeBack(ctx context.Context) error {
	d.out.heading("Who set which attribute; and one command takes the change back")
	last, err := d.lastApply(ctx, "pool/web")
	if err != nil {
		return err
	}
	if err := d.expectOutput("members.b.weight", last.Run.ID)(d.auditlb(ctx, "blame", "pool/web")); err != nil {
		return err
	}
	if err := d.expectOutput("Done: the configuration is at revision")(d.auditlb(ctx, "rollback", "--run", last.Run.ID, "--apply")); err != nil {
		return err
	}
	return d.expectShares(ctx, map[string]int{"backend-a": 1, "backend-b": 1})
}

func (d *demo) drift(ctx context.Context) error {
	d.out.heading("Terraform's next plan says who did that")
	if err := d.expectOutput("1 to change", "CHG-DEV")(d.terraform(ctx, nil, append([]string{"plan", "-input=false"}, d.weightFlags()...)...)); err != nil {
		return err
	}
	return d.expectOutput("pool/web")(d.auditlb(ctx, "drift"))
}

func (d *demo) verify(ctx context.Context) error {
	d.out.heading("The whole log is recomputed against its signed checkpoint")
	return d.expectOutput("OK:")(d.auditlb(ctx, "verify", "--data-dir", d.runtime.DataDir, "--public-key", d.runtime.PublicKey))
}

// lastApply finds the newest applied change of an object.
func (d *demo) lastApply(ctx context.Context, address string) (entry, error) {
	text, err := d.query(ctx, "history", address)
	if err != nil {
		return entry{}, err
	}
	var list struct {
		Items []entry `json:"items"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return entry{}, err
	}
	for _, e := range list.Items {
		if e.Type == "apply" {
			return e, nil
		}
	}
	return entry{}, fmt.Errorf("%s has no applied change in its history", address)
}

func (d *demo) apply(ctx context.Context, env []string) (string, error) {
	return d.terraform(ctx, env, append([]string{"apply", "-input=false", "-auto-approve"}, d.weightFlags()...)...)
}

func (d *demo) weightFlags() []string {
	return []string{
		fmt.Sprintf("-var=weight_a=%d", d.weights["backend-a"]),
		fmt.Sprintf("-var=weight_b=%d", d.weights["backend-b"]),
	}
}

// expectShares sends requests over both listeners and holds the answers to
// weights.
func (d *demo) expectShares(ctx context.Context, weights map[string]int) error {
	for _, send := range []func(context.Context) (shares, error){d.traffic.overHTTP, d.traffic.overTLS} {
		counted, err := send(ctx)
		if err != nil {
			return err
		}
		if err := counted.expect(weights); err != nil {
			return err
		}
	}
	return nil
}

// expectOutput holds a command to success and to what it must print.
func (d *demo) expectOutput(wants ...string) func(string, error) error {
	return func(output string, err error) error {
		if err != nil {
			return err
		}
		for _, want := range wants {
			if want == "" || !strings.Contains(output, want) {
				return fmt.Errorf("the output above lacks %q", want)
			}
		}
		return nil
	}
}
