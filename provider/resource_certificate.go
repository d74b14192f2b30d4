package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// The attributes of a certificate that concern its private key.
const (
	attrChain      = "chain_pem"
	attrPrivateKey = "private_key_wo"
)

func newCertificateResource() resource.Resource {
	f := fieldsOf(lb.KindCertificate)
	return newObjectResource(codec{
		kind: lb.KindCertificate,
		declared: attributes{
			attrChain: f.requiredString("chain_pem"),
			attrPrivateKey: schema.StringAttribute{
				MarkdownDescription: fmt.Sprintf("The private key of the leaf certificate, in PEM: PKCS #8, PKCS #1 or SEC 1, at most %d bytes. "+
					"Write-only: it reaches neither the state nor a plan file, as long as what feeds it is ephemeral too, such as a variable with `ephemeral = true`. "+
					"It may be left out when the key that is stored still belongs to the chain.", lb.MaxPrivateKeyBytes),
				Optional:  true,
				WriteOnly: true,
				Sensitive: true,
			},
			"private_key_wo_version": schema.Int64Attribute{
				MarkdownDescription: f.describe("private_key_version"),
				Optional:            true,
			},
			// What follows is read from the chain's leaf.
			"fingerprint": f.computedString("fingerprint"),
			"not_before":  f.computedString("not_before"),
			"not_after":   f.computedString("not_after"),
			"dns_names":   f.computedSet("dns_names"),
			"issuer":      f.computedString("issuer"),
		},
		jsonNames: map[string]string{
			attrPrivateKey:           "private_key_pem",
			"private_key_wo_version": "private_key_version",
		},
		derivedFrom: attrChain,
	})
}
