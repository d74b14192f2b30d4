package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

func newToken(c *cli) *cobra.Command {
	return group("token", "Create, list and revoke tokens", newTokenCreate(c), newTokenList(c), newTokenRevoke(c))
}

func newTokenCreate(c *cli) *cobra.Command {
	var actor, role, config string
	var scopes []string
	var valid time.Duration
	cmd := &cobra.Command{
		Use:   "create --actor NAME --role ROLE",
		Short: "Create a token; it is shown once",
		Long: `Create a token and print it. Only its hash is kept.

With --config the token is written straight to the data directory of a runtime
that is not running: this is how the first one comes to be. Without it the
running auditlb is asked, which takes a token with role admin.`,
		Example: `  auditlb token create --config /etc/auditlb/auditlb.hcl --actor alice --role admin
  auditlb token create --actor ci-main --role operator --for 720h
  auditlb token create --actor ci-shop --role operator --scope 'route/shop-*' --scope pool/shop`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			req := api.TokenRequest{Actor: actor, Role: role, Scopes: scopes}
			if valid > 0 {
				req.NotAfter = time.Now().Add(valid).UTC()
			}
			created, err := c.createToken(cmd, config, req)
			if err != nil {
				return err
			}
			return c.print(cmd, created, func(out io.Writer) { fmt.Fprintln(out, created.Secret) })
		},
	}
	cmd.Flags().StringVar(&actor, "actor", "", "whom the token speaks for")
	cmd.Flags().StringVar(&role, "role", "", fmt.Sprintf("one of %v", identity.Roles))
	cmd.Flags().StringVar(&config, "config", "", "configuration of a runtime that is not running")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "what the role is good for: an address or glob, such as pool/web or route/shop-* (repeatable; default: everything)")
	cmd.Flags().DurationVar(&valid, "for", 0, "how long the token lives (default: until revoked)")
	_ = cmd.MarkFlagRequired("actor")
	_ = cmd.MarkFlagRequired("role")
	return cmd
}

func (c *cli) createToken(cmd *cobra.Command, config string, req api.TokenRequest) (*api.TokenCreated, error) {
	if config != "" {
		return createTokenOffline(cmd.Context(), config, req)
	}
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	return cl.CreateToken(cmd.Context(), req)
}

// createTokenOffline writes to a stopped runtime's log. Traffic is not served.
func createTokenOffline(ctx context.Context, path string, req api.TokenRequest) (*api.TokenCreated, error) {
	config, err := daemon.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	controller, closeLog, err := daemon.OpenLog(ctx, config)
	if err != nil {
		return nil, err
	}
	call := control.Call{Actor: control.System("cli")}
	outcome, secret, err := controller.CreateToken(ctx, call, control.TokenRequest{Actor: req.Actor, Role: identity.Role(req.Role), Scopes: req.Scopes, NotAfter: req.NotAfter})
	if err := errors.Join(failed(outcome, err), closeLog()); err != nil {
		return nil, err
	}
	return &api.TokenCreated{Token: api.Token{Actor: req.Actor, Role: req.Role, Scopes: req.Scopes, NotAfter: req.NotAfter}, Secret: secret}, nil
}

func newTokenList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List tokens and when each was last used, without their secrets",
		Example: `  auditlb token list`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			list, err := cl.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(cmd, list, func(out io.Writer) {
				rows := make([][]string, 0, len(list.Items))
				for _, t := range list.Items {
					state := "live"
					switch {
					case t.Revoked:
						state = "revoked"
					case !t.NotAfter.IsZero() && !time.Now().Before(t.NotAfter):
						state = "expired"
					}
					rows = append(rows, []string{
						t.ID, t.Actor, t.Role, dash(strings.Join(t.Scopes, " ")), state, t.CreatedBy, at(t.CreatedAt), dash(at(t.NotAfter)), dash(at(t.LastUsed)),
					})
				}
				columns(out, []string{"TOKEN", "ACTOR", "ROLE", "SCOPE", "STATE", "CREATED BY", "AT", "UNTIL", "LAST USED"}, rows)
			})
		},
	}
}

func newTokenRevoke(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke TOKEN",
		Short:   "End a token's life at once",
		Example: `  auditlb token revoke 4f0c2a91b7e3`,
		Args:    exactly(1, "one token's id (not its secret)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			t, err := cl.RevokeToken(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.print(cmd, t, func(out io.Writer) { fmt.Fprintf(out, "token %s of %s is revoked\n", t.ID, t.Actor) })
		},
	}
}
