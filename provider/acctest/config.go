package acctest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/auditlb/terraform-provider-auditlb/provider"
)

// Factories serve the provider from within the test.
func Factories() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"auditlb": providerserver.NewProtocol6WithError(provider.New("test")()),
	}
}

// Provider is a provider block for the runtime, in which settings given as
// name, value, name, value… replace or add to the usual ones. An empty value
// leaves a setting out; "run" is the id of the run.
func (r *Runtime) Provider(settings ...string) string {
	all := map[string]string{"endpoint": r.Endpoint, "token": r.Operator, "change_ticket": r.Ticket}
	for i := 0; i+1 < len(settings); i += 2 {
		all[settings[i]] = settings[i+1]
	}
	var b strings.Builder
	b.WriteString("provider \"auditlb\" {\n")
	for _, name := range []string{"endpoint", "token", "change_ticket"} {
		if all[name] != "" {
			fmt.Fprintf(&b, "  %s = %q\n", name, all[name])
		}
	}
	if all["run"] != "" {
		fmt.Fprintf(&b, "  run {\n    id = %q\n  }\n", all["run"])
	}
	b.WriteString("}\n")
	return b.String()
}

// Main runs a package's tests without the settings of whoever runs them.
func Main(m *testing.M) int {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		// A CLI configuration may name a file that isn't there, and an
		// AUDITLB_ setting another runtime.
		if name == "TF_CLI_CONFIG_FILE" || name == "TF_WORKSPACE" || (strings.HasPrefix(name, "AUDITLB_") && name != "AUDITLB_REQUIRE") {
			os.Unsetenv(name)
		}
	}
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	return code
}

// Need skips a test that needs the real terraform, unless TF_ACC is set.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("runs the real terraform; set TF_ACC=1, or use make test")
	}
}
