package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/policy"
)

func newPolicy(c *cli) *cobra.Command {
	return group("policy", "Test the rules that changes are held to, and say how they decided", newPolicyTest(c), newPolicyExplain(c))
}

func newPolicyTest(c *cli) *cobra.Command {
	var file, only string
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Hold a table of cases to policies",
		Long: `Decides on every change of a table of cases and compares that with what the
table expects. Policies that the table brings along are compiled here, without a
running auditlb; a table without any is held to the policies that are in force.

Exit codes: 1 when a case fails, 2 when the file can't be read as cases.`,
		Example: `  auditlb policy test -f cases.yaml
  auditlb policy test -f cases.yaml --policy main -o json`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.output != outputTable && c.output != outputJSON {
				return usageError{fmt.Errorf("--output %q must be %s or %s", c.output, outputTable, outputJSON)}
			}
			cases, err := readCases(cmd.InOrStdin(), file)
			if err != nil {
				return usageError{err}
			}
			set := cases.Policies
			if set == nil {
				if set, err = c.livePolicies(cmd.Context(), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			if only != "" {
				set = slices.DeleteFunc(slices.Clone(set), func(p *policy.Policy) bool { return p.Name() != only })
				if len(set) == 0 {
					return usageError{fmt.Errorf("--policy %q: there is no such policy", only)}
				}
			}
			results := cases.Run(set)
			if err := c.print(cmd, results, func(out io.Writer) { printCases(out, results) }); err != nil {
				return err
			}
			if failed := countFailed(results); failed > 0 {
				return fmt.Errorf("%d of %d cases failed", failed, len(results))
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the cases, YAML; - reads standard input")
	cmd.Flags().StringVar(&only, "policy", "", "hold the cases to this policy alone")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic(err)
	}
	return cmd
}

func readCases(stdin io.Reader, file string) (*policy.Cases, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, policy.MaxCasesBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	cases, err := policy.ParseCases(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cases, nil
}

// livePolicies returns the policies of the running auditlb. Rules that don't compile
// here refuse what they are asked about, and are told of.
func (c *cli) livePolicies(ctx context.Context, warnings io.Writer) (policy.Set, error) {
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	set := policy.Set{}
	page := client.Page{Limit: api.MaxPageSize}
	for {
		list, err := cl.List(ctx, lb.KindPolicy, page)
		if err != nil {
			return nil, err
		}
		for _, o := range list.Items {
			decoded, err := lb.Decode(lb.KindPolicy, o.Object)
			if err != nil {
				return nil, fmt.Errorf("policy %s: %w", o.Name, err)
			}
			p, ok := decoded.(*lb.Policy)
			if !ok {
				return nil, errors.New("the server's list of policies holds something else")
			}
			compiled, found := policy.Compile(o.Name, o.Revision, p)
			for _, v := range found {
				fmt.Fprintf(warnings, "auditlb: policy/%s %s %s\n", o.Name, v.Pointer, v.Detail)
			}
			set = append(set, compiled)
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			return set, nil
		}
	}
}

func countFailed(results []policy.CaseResult) int {
	failed := 0
	for _, r := range results {
		if !r.Passed {
			failed++
		}
	}
	return failed
}

func printCases(out io.Writer, results []policy.CaseResult) {
	rows := make([][]string, 0, len(results))
	for _, r := range results {
		verdict, expected := "ok", r.Expected
		if !r.Passed {
			verdict = "FAILED"
		}
		if len(r.ExpectedBy) > 0 {
			expected += " by " + strings.Join(r.ExpectedBy, ", ")
		}
		rows = append(rows, []string{verdict, r.Name, expected, r.Got, dash(strings.Join(r.By, ", "))})
	}
	columns(out, []string{"", "CASE", "EXPECTED", "GOT", "DECIDED BY"}, rows)
	for _, r := range results {
		if r.Passed {
			continue
		}
		fmt.Fprintf(out, "\n%s (line %d):\n", r.Name, r.Line)
		for _, o := range r.Outcomes {
			fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %s/%s %s: %s", o.Policy, o.Rule, o.Result, o.Message), ": "))
		}
		if len(r.Outcomes) == 0 {
			fmt.Fprintln(out, "  no rule is for this change")
		}
	}
}
