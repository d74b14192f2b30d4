package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// maxApplyBytes bounds a file of objects.
const maxApplyBytes = 16 << 20

// declared is one object of a file.
type declared struct {
	Kind   lb.Kind        `json:"kind"`
	Name   string         `json:"name"`
	Object jsontext.Value `json:"object"`
}

func newApply(c *cli) *cobra.Command {
	var file, ticketID string
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or update objects without Terraform, through the same gate",
		Long: `Create or update the objects of a file, in its order, each under the ticket and
with its own entry. The file is YAML or JSON, one object a document:

  kind: pool
  name: web
  object:
    owner: team-web
    members:
      a: {address: "10.0.0.1:8080"}

Each change is planned first, so that it is on record as planned, and made to the
revision that was planned against. It stops at the first refusal.`,
		Example: `  auditlb apply -f web.yaml --ticket CHG-1042`,
		Args:    exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			objects, err := readObjects(cmd.InOrStdin(), file)
			if err != nil {
				return usageError{err}
			}
			cl, err := c.clientUnder(ticketID)
			if err != nil {
				return err
			}
			applied := []*api.Object{}
			for _, d := range objects {
				o, err := applyOne(cmd.Context(), cl, d)
				if err != nil {
					return fmt.Errorf("%s/%s: %w", d.Kind, d.Name, err)
				}
				applied = append(applied, o)
			}
			return c.print(cmd, applied, func(out io.Writer) {
				for _, o := range applied {
					fmt.Fprintf(out, "%s is at revision %d\n", lb.Address{Kind: o.Kind, Name: o.Name}, o.Revision)
				}
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the objects; - reads standard input")
	cmd.Flags().StringVar(&ticketID, "ticket", "", "change ticket (default $AUDITLB_CHANGE_TICKET)")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

// applyOne plans and makes one change.
func applyOne(ctx context.Context, cl *client.Client, d declared) (*api.Object, error) {
	address := lb.Address{Kind: d.Kind, Name: d.Name}
	op, pre := lb.OpCreate, client.IfAbsent()
	held, err := cl.Get(ctx, address)
	switch {
	case err == nil:
		op, pre = lb.OpUpdate, client.IfRevision(held.Revision)
	case !client.IsNotFound(err):
		return nil, err
	}
	if d.Kind != lb.KindCertificate { // a plan must not see the private key
		if _, err := cl.Plan(ctx, api.PlanRequest{Kind: d.Kind, Name: d.Name, Op: op, Object: d.Object}); err != nil {
			return nil, err
		}
	}
	return cl.Put(ctx, address, d.Object, pre)
}

func readObjects(stdin io.Reader, file string) ([]declared, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxApplyBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxApplyBytes {
		return nil, fmt.Errorf("%s has more than %d bytes", file, maxApplyBytes)
	}
	var out []declared
	for decoder, n := yaml.NewDecoder(bytes.NewReader(data)), 1; ; n++ {
		var v any
		if err := decoder.Decode(&v); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("%s, object %d: %w", file, n, err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%s, object %d: %w", file, n, err)
		}
		var d declared
		if err := lb.DecodeStrict(b, &d); err != nil {
			return nil, fmt.Errorf("%s, object %d: %w", file, n, err)
		}
		if _, err := lb.ParseAddress(string(d.Kind) + "/" + d.Name); err != nil {
			return nil, fmt.Errorf("%s, object %d: %w", file, n, err)
		}
		out = append(out, d)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no objects", file)
	}
	return out, nil
}

func newDelete(c *cli) *cobra.Command {
	var ticketID string
	cmd := &cobra.Command{
		Use:     "delete ADDRESS",
		Short:   "Delete an object without Terraform, through the same gate",
		Example: `  auditlb delete pool/old --ticket CHG-1042`,
		Args:    exactly(1, "one address, such as pool/web"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := lb.ParseAddress(args[0])
			if err != nil {
				return usageError{err}
			}
			return c.remove(cmd, ticketID, address)
		},
	}
	cmd.Flags().StringVar(&ticketID, "ticket", "", "change ticket (default $AUDITLB_CHANGE_TICKET)")
	return cmd
}

// put plans and makes a change under a ticket.
func (c *cli) put(ctx context.Context, ticketID string, address lb.Address, obj lb.Object, pre client.Precondition) (*api.Object, error) {
	cl, err := c.clientUnder(ticketID)
	if err != nil {
		return nil, err
	}
	encoded, err := lb.Encode(obj)
	if err != nil {
		return nil, err
	}
	if _, err := cl.Plan(ctx, api.PlanRequest{Kind: address.Kind, Name: address.Name, Op: lb.OpCreate, Object: encoded}); err != nil {
		return nil, err
	}
	return cl.Put(ctx, address, encoded, pre)
}

// remove plans and makes a deletion.
func (c *cli) remove(cmd *cobra.Command, ticketID string, address lb.Address) error {
	cl, err := c.clientUnder(ticketID)
	if err != nil {
		return err
	}
	held, err := cl.Get(cmd.Context(), address)
	if err != nil {
		return err
	}
	if _, err := cl.Plan(cmd.Context(), api.PlanRequest{Kind: address.Kind, Name: address.Name, Op: lb.OpDelete}); err != nil {
		return err
	}
	deleted, err := cl.Delete(cmd.Context(), address, client.IfRevision(held.Revision))
	if err != nil {
		return err
	}
	return c.print(cmd, deleted, func(out io.Writer) { fmt.Fprintf(out, "%s was deleted in revision %d\n", address, deleted.Revision) })
}

// objects lists all objects of a kind.
func (c *cli) objects(ctx context.Context, kind lb.Kind) ([]api.Object, error) {
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	return listAll(ctx, cl, kind)
}

func listAll(ctx context.Context, cl *client.Client, kind lb.Kind) ([]api.Object, error) {
	objects := []api.Object{}
	page := client.Page{Limit: api.MaxPageSize}
	for {
		list, err := cl.List(ctx, kind, page)
		if err != nil {
			return nil, err
		}
		objects = append(objects, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			return objects, nil
		}
	}
}
