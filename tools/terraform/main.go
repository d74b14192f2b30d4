// Command terraform prints the path of a terraform or tofu program that tests,
// docs and the demo can use. If the machine has none, it fetches one.
//
//	go -C tools run ./terraform
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/auditlb/terraform-provider-auditlb/tools/internal/tfcli"
)

const advice = `Install Terraform %[1]s or newer (https://developer.hashicorp.com/terraform/install)
or OpenTofu %[1]s or newer (https://opentofu.org/docs/intro/install), put it on the
PATH or name it with AUDITLB_TERRAFORM=/path/to/terraform, and try again.
`

func main() {
	dir := flag.String("dir", "../bin", "where a fetched program is kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	path, err := tfcli.Find(ctx, *dir)
	if errors.Is(err, tfcli.ErrNotFound) {
		fmt.Fprintf(os.Stderr, "%v: fetching terraform %s into %s\n", err, tfcli.FetchedVersion, *dir)
		path, err = tfcli.Fetch(ctx, *dir)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nNo usable terraform: %v\n\n", err)
		fmt.Fprintf(os.Stderr, advice, tfcli.MinimumVersion)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run.
	}
	fmt.Println(path)
}
