// Command auditlb is the load balancer and the command line to review, approve,
// search and verify what happens to it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // freeze windows name time zones, which small machines don't have

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// version is set when a release is built.
var version = "dev"

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitRefused  = 3
	exitMismatch = 4
	exitDiffers  = 5
)

// errMismatch means that a verification found something wrong. It has been
// reported already.
var errMismatch = errors.New("verification failed")

// errDiffers means that something is not as it should be. It has been shown already.
var errDiffers = errors.New("differs")

// errRefused means that something would be refused. It has been said already.
var errRefused = errors.New("would be refused")

// usageError is a mistake in how a command was called.
type usageError struct{ error }

// ranError is an error of a command that ran. What cobra finds before that (an
// unknown command, a missing flag) is a mistake in how it was called.
type ranError struct{ error }

// Unwrap returns the command's own error.
func (e ranError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	os.Exit(report(err))
}

// report prints an error and chooses the exit code.
func report(err error) int {
	var problem *api.Problem
	var refused *control.Refused
	var usage usageError
	var ran ranError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errMismatch):
		return exitMismatch
	case errors.Is(err, errDiffers):
		return exitDiffers
	case errors.Is(err, errRefused):
		return exitFailed
	case errors.As(err, &problem):
		printProblem(os.Stderr, problem)
		return exitRefused
	case errors.As(err, &refused):
		fmt.Fprintf(os.Stderr, "auditlb: %v\n  (%s, recorded in the log)\n", refused, refused.Code)
		return exitRefused
	case errors.As(err, &usage), !errors.As(err, &ran):
		fmt.Fprintf(os.Stderr, "auditlb: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(os.Stderr, "auditlb: %v\n", err)
	return exitFailed
}

func newRoot() *cobra.Command {
	c := &cli{}
	root := &cobra.Command{
		Use:   "auditlb",
		Short: "A load balancer whose every change has a ticket and a record",
		Long: `auditlb is a load balancer that can always answer who changed what, when, why,
under which change ticket and from which Terraform run, and can prove it.

Commands that talk to a running auditlb find it through --endpoint and the
environment:

  AUDITLB_ENDPOINT         URL of the management API (default ` + defaultEndpoint + `)
  AUDITLB_CA_CERT_FILE     file with the authority of its certificate, in PEM
  AUDITLB_CHANGE_TICKET    change ticket of commands that change something

They call it with the first of these that there is:

  AUDITLB_TOKEN            a token
  ` + client.EnvIDToken + `         an identity provider's token (OpenID Connect), which is
                           exchanged for a session; or the file that
                           ` + client.EnvIDTokenFile + ` names
  AUDITLB_CLIENT_CERT_FILE a client certificate, in PEM, and its key in
                           AUDITLB_CLIENT_KEY_FILE
  the token that the CI offers (OpenID Connect)

Exit codes: 0 done, 1 failed, 2 called wrongly, 3 refused by auditlb,
4 verification found a mismatch, 5 something differs (with --exit-code).`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&c.endpoint, "endpoint", "", "URL of the management API (default $AUDITLB_ENDPOINT)")
	flags.StringVar(&c.tokenFile, "token-file", "", "file that holds the token (default $AUDITLB_TOKEN)")
	flags.StringVar(&c.caFile, "ca-cert-file", "", "file with the authority of the endpoint's certificate, PEM (default $AUDITLB_CA_CERT_FILE)")
	flags.StringVar(&c.clientCertFile, "client-cert-file", "", "file with a client certificate to call with in place of a token, PEM (default $AUDITLB_CLIENT_CERT_FILE)")
	flags.StringVar(&c.clientKeyFile, "client-key-file", "", "file with the private key of the client certificate, PEM, not encrypted (default $AUDITLB_CLIENT_KEY_FILE)")
	flags.BoolVar(&c.insecureHTTP, "insecure-http", false, "allow http:// to an endpoint that is not loopback")
	flags.StringVarP(&c.output, "output", "o", outputTable, "output: table or json")
	root.AddCommand(
		newServe(), newDev(),
		newTicket(c), newFreeze(c), newToken(c), newAccess(c),
		newGet(c), newList(c), newApply(c), newDelete(c), newHistory(c), newBlame(c), newDiff(c), newState(c), newShow(c), newRun(c),
		newVerify(c), newCheckpoint(c), newProof(c), newExport(c), newLog(c), newWhoami(c),
		newSink(c),
		newDrift(c),
		newRollback(c),
		newTraffic(c),
		newWitness(c),
		newPolicy(c), newRetention(c),
	)
	markRan(root)
	return root
}

// markRan tells the errors of the commands from those that cobra finds.
func markRan(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return ranError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markRan(sub)
	}
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("unknown command %q for %q; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())}
		}
		return cmd.Help()
	}}
	cmd.AddCommand(commands...)
	return cmd
}

// exactly holds a command to its arguments, as a usage error.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s takes %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath())}
		}
		return nil
	}
}
