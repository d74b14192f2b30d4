package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newGet(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "get ADDRESS",
		Short:   "Show an object and who changed it last",
		Example: `  auditlb get pool/web`,
		Args:    exactly(1, "one address, such as pool/web"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := lb.ParseAddress(args[0])
			if err != nil {
				return usageError{err}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			o, err := cl.Get(cmd.Context(), address)
			if err != nil {
				return err
			}
			return c.print(cmd, o, func(out io.Writer) {
				fields(out,
					"address", address.String(),
					"revision", strconv.FormatInt(o.Revision, 10),
					"last change", fmt.Sprintf("%s by %s at %s", o.LastChange.Op, o.LastChange.Actor, at(o.LastChange.At)),
					"ticket", o.LastChange.Ticket,
					"run", o.LastChange.Run,
				)
				fmt.Fprintln(out)
				for _, line := range attributes(o.Object) {
					fmt.Fprintln(out, "  "+line)
				}
			})
		},
	}
}

func newList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list [KIND]",
		Short: "List objects and who changed each last",
		Example: `  auditlb list
  auditlb list pools`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds := lb.Kinds
			if len(args) == 1 {
				kind := kindOf(args[0])
				if !kind.Valid() {
					return usageError{fmt.Errorf("%q is not a kind; kinds are %v", args[0], lb.Kinds)}
				}
				kinds = []lb.Kind{kind}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			objects := []api.Object{}
			for _, kind := range kinds {
				of, err := listAll(cmd.Context(), cl, kind)
				if err != nil {
					return err
				}
				objects = append(objects, of...)
			}
			return c.print(cmd, objects, func(out io.Writer) {
				rows := make([][]string, 0, len(objects))
				for _, o := range objects {
					rows = append(rows, []string{
						lb.Address{Kind: o.Kind, Name: o.Name}.String(), strconv.FormatInt(o.Revision, 10),
						o.LastChange.Actor, dash(o.LastChange.Ticket), at(o.LastChange.At),
					})
				}
				columns(out, []string{"ADDRESS", "REVISION", "CHANGED BY", "TICKET", "AT"}, rows)
			})
		},
	}
}

// kindOf reads a kind as one writes it: "pool" or "pools".
func kindOf(word string) lb.Kind {
	for _, kind := range lb.Kinds {
		if word == kind.Plural() {
			return kind
		}
	}
	return lb.Kind(word)
}
