package main

import (
	"context"
	"fmt"
	"os"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// changeMain is a program for the scripts: it plans and makes one change, with the
// exit codes of auditlb.
func changeMain() {
	os.Exit(report(ranIf(makeChange(context.Background(), os.Args[1:]))))
}

func ranIf(err error) error {
	if err == nil {
		return nil
	}
	return ranError{err}
}

func makeChange(ctx context.Context, args []string) error {
	planOnly, applyOnly := args[0] == "plan", args[0] == "apply"
	if planOnly || applyOnly {
		args = args[1:]
	}
	op := lb.Op(args[0])
	at, err := lb.ParseAddress(args[1])
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{
		Endpoint: os.Getenv("AUDITLB_ENDPOINT"), Token: api.Secret(os.Getenv("AUDITLB_TOKEN")),
		Ticket: os.Getenv("TICKET"), Run: os.Getenv("RUN"), Attempts: 1,
	})
	if err != nil {
		return err
	}
	if run := os.Getenv("RUN"); run != "" {
		claims := api.RunClaims{System: "local", Tool: "terraform", Workspace: first(os.Getenv("WORKSPACE"), "prod"), Actor: "ci-bot"}
		if _, err := c.RegisterRun(ctx, run, claims); err != nil {
			return err
		}
	}
	plan := api.PlanRequest{Kind: at.Kind, Name: at.Name, Op: op}
	pre := client.IfPresent()
	switch op {
	case lb.OpDelete:
		if _, err := c.Plan(ctx, plan); err != nil {
			return err
		}
		_, err := c.Delete(ctx, at, pre)
		return err
	case lb.OpCreate:
		pre = client.IfAbsent()
	}
	if plan.Object, err = os.ReadFile(args[2]); err != nil {
		return err
	}
	if !applyOnly {
		if _, err := c.Plan(ctx, plan); err != nil || planOnly {
			return err
		}
	}
	o, err := c.Put(ctx, at, plan.Object, pre)
	if err == nil {
		fmt.Println(o.Revision)
	}
	return err
}
