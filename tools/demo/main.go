// Command demo shows auditlb working, with the real Terraform and real traffic,
// on this machine and without a network:
//
//	make demo
//
// Every step is printed as the command a user would type and its real output.
// Every result is checked: it exits with an error if anything did not happen.
// With -stay it leaves everything running to explore (make dev).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	bin := flag.String("bin", "bin", "where terraform-provider-auditlb and auditlb were built")
	examples := flag.String("examples", "examples", "where quickstart is")
	stay := flag.Bool("stay", false, "set everything up, then leave it running until Ctrl-C")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := perform(ctx, *bin, *examples, *stay)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nThe demo failed:", err)
		os.Exit(1)
	}
}

func perform(ctx context.Context, bin, examples string, stay bool) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	out := transcript{out: os.Stdout}
	s, err := newSandbox(ctx, out, bin, examples)
	if err != nil {
		return err
	}
	defer s.close()

	d := &demo{sandbox: s}
	if stay {
		err = d.explore(ctx)
	} else {
		err = d.all(ctx)
	}
	if ctx.Err() != nil && err != nil {
		return errors.New("interrupted; everything is cleaned up")
	}
	if err != nil {
		select {
		case <-s.runtime.Ended():
			return fmt.Errorf("%w\n\nauditlb has ended; its log:\n%s", err, s.runtime.Log())
		default:
		}
	}
	return err
}
