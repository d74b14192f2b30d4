package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func newPolicyExplain(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "explain SEQ",
		Short: "Say which rules decided on a change, and how",
		Long: `Show the rules of policies that decided on a change or a refused one, each at the
revision that was in force then. 'auditlb show REVISION' shows what it said.`,
		Example: `  auditlb policy explain 42`,
		Args:    exactly(1, "one entry's seq"),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := parseSeq(args[0])
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			e, err := cl.Entry(cmd.Context(), seq)
			if err != nil {
				return err
			}
			rules := []api.RuleOutcome{}
			if e.Body != nil && e.Body.Rules != nil {
				rules = e.Body.Rules
			}
			return c.print(cmd, rules, func(out io.Writer) {
				if len(rules) == 0 {
					fmt.Fprintf(out, "no rule of a policy had a say in entry %d (%s %s, %s)\n", e.Seq, e.Op, dash(e.Resource), e.Outcome)
					return
				}
				fmt.Fprintf(out, "entry %d, %s of %s under %s, was decided by:\n", e.Seq, e.Op, e.Resource, dash(e.Ticket))
				printRules(out, rules)
			})
		},
	}
}

// printRules lists what rules said.
func printRules(out io.Writer, rules []api.RuleOutcome) {
	if len(rules) == 0 {
		return
	}
	rows := make([][]string, 0, len(rules))
	for _, r := range rules {
		rows = append(rows, []string{"policy/" + r.Policy, strconv.FormatInt(r.Revision, 10), r.Rule, r.Result, r.Message})
	}
	columns(out, []string{"POLICY", "REVISION", "RULE", "RESULT", "MESSAGE"}, rows)
}
