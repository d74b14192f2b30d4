// Command terraform-provider-auditlb is the Terraform provider for auditlb.
// Terraform starts it; it is of no use on its own.
package main

import (
	"context"
	"flag"
	"log"
	_ "time/tzdata" // freeze windows name time zones, which not every machine has

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/auditlb/terraform-provider-auditlb/provider"
)

// version is set when a release is built.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "keep running, so that a debugger can attach")
	flag.Parse()
	err := providerserver.Serve(context.Background(), provider.New(version), providerserver.ServeOpts{
		Address:         provider.Address,
		Debug:           *debug,
		ProtocolVersion: 6,
	})
	if err != nil {
		log.Fatal(err)
	}
}
