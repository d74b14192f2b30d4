package ticket_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
	logwitness "github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

var update = flag.Bool("update", false, "write the guides' tables anew")

const (
	guides        = "../../templates/guides/"
	ticketGuide   = guides + "change-tickets.md"
	identityGuide = guides + "identity.md"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// holdTable compares what stands between a guide's two markers with a table, or
// writes it there.
func holdTable(t *testing.T, file, name, table string) {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n\n", "\n<!-- /"+name+" -->\n"
	before, rest, ok := strings.Cut(read(t, file), begin)
	held, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no table between %q and %q", file, begin, end)
	}
	if held == table {
		return
	}
	if !*update {
		t.Fatalf("the table %s in %s is not what holds; run this test with -update", name, file)
	}
	if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The guide's life cycle is the state machine.
func TestTheGuideShowsEveryTransition(t *testing.T) {
	var table strings.Builder
	table.WriteString("| from | action | to | who | which tickets |\n|---|---|---|---|---|\n")
	for _, row := range ticket.Transitions {
		fmt.Fprintf(&table, "| `%s` | `%s` | `%s` | %s | %s |\n", row.From, row.Action, row.To, row.Who, row.For)
	}
	holdTable(t, ticketGuide, "transitions", table.String())
}

// The guide's roles are those that are granted.
func TestTheGuideShowsWhatEachRoleMay(t *testing.T) {
	var table strings.Builder
	table.WriteString("| may |")
	for _, role := range identity.Roles {
		fmt.Fprintf(&table, " %s |", role)
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(identity.Roles)) + "\n")
	for _, p := range identity.Admin.Permissions() {
		fmt.Fprintf(&table, "| %s |", p)
		for _, role := range identity.Roles {
			fmt.Fprintf(&table, " %s |", map[bool]string{true: "yes", false: "-"}[role.Can(p)])
		}
		table.WriteString("\n")
	}
	holdTable(t, identityGuide, "roles", table.String())
	for _, role := range identity.Roles {
		for _, p := range role.Permissions() {
			if !identity.Admin.Can(p) {
				t.Errorf("the table has no row for %q, which %s may do and admin may not", p, role)
			}
		}
	}
}

// Every state, action and type of ticket has a row of its own, and so has every
// code with which the gate refuses.
func TestTheGuideNamesWhatATicketCanBe(t *testing.T) {
	text := read(t, ticketGuide)
	row := func(word string) {
		t.Helper()
		if !strings.Contains(text, "\n| `"+word+"` |") {
			t.Errorf("%s has no row for %q", ticketGuide, word)
		}
	}
	for _, s := range ticket.States {
		row(string(s))
	}
	for _, a := range ticket.Actions {
		row(string(a))
	}
	for _, typ := range ticket.Types {
		row(string(typ))
	}
	gate := regexp.MustCompile("^(ticket|policy|run)_|^(frozen|scope_insufficient|role_insufficient)$")
	for code := range api.Statuses {
		if gate.MatchString(string(code)) {
			row(string(code))
		}
	}
	_, refusals, _ := strings.Cut(text, "## What refusals mean")
	for _, match := range regexp.MustCompile("\n\\| `([a-z_]+)` \\|").FindAllStringSubmatch(refusals, -1) {
		if _, known := api.Statuses[api.Code(match[1])]; !known {
			t.Errorf("%s explains %q, which is no code", ticketGuide, match[1])
		}
	}
}

// The guides state the bounds that hold.
func TestTheGuidesStateTheBounds(t *testing.T) {
	for file, statements := range map[string][]string{
		ticketGuide: {
			fmt.Sprintf("1 to %d letters", ticket.MaxIDLength),
			fmt.Sprintf("at most %d bytes. What is to be done", ticket.MaxTitleLength),
			fmt.Sprintf("at most %d bytes. Why it is needed", ticket.MaxTextLength),
			fmt.Sprintf("at most %d globs", ticket.MaxScopeAddresses),
			fmt.Sprintf("1 to %d,", ticket.MaxApprovals),
			fmt.Sprintf("1 to %d; left out", ticket.MaxUses),
			fmt.Sprintf("at most %d effects", ticket.MaxEffects),
			fmt.Sprintf("at most %d days", int(ticket.MaxWindow.Hours()/24)),
			fmt.Sprintf("by default %d hours", int(ticket.DefaultWindow.Hours())),
			fmt.Sprintf("by default %d hour", int(ticket.DefaultEmergencyWindow.Hours())),
			fmt.Sprintf("at most %d hours", int(ticket.MaxEmergencyWindow.Hours())),
			fmt.Sprintf("lasts at most %d days", int(lb.MaxFreezeLength.Hours()/24)),
		},
		identityGuide: {
			fmt.Sprintf("at most %d scopes", identity.MaxScopes),
			fmt.Sprintf("1 to %d letters", identity.MaxActorLength),
			fmt.Sprintf("lives for %d minutes", int(oidc.DefaultSessionTTL.Minutes())),
			fmt.Sprintf("from %d minute to %d hours", int(oidc.MinSessionTTL.Minutes()), int(oidc.MaxSessionTTL.Hours())),
			fmt.Sprintf("%d sessions by default", oidc.DefaultExchanges),
			fmt.Sprintf("at most %d,", oidc.MaxExchanges),
			fmt.Sprintf("%d seconds by default", int(oidc.DefaultSkew.Seconds())),
		},
	} {
		words := strings.Join(strings.Fields(read(t, file)), " ")
		for _, statement := range statements {
			if !strings.Contains(words, statement) {
				t.Errorf("%s does not state %q", file, statement)
			}
		}
	}
}

// A runtime takes the configurations of all guides, or a witness does, and each
// preset is in one.
func TestARuntimeTakesTheGuidesConfigurations(t *testing.T) {
	files, err := filepath.Glob(guides + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	presets := map[string]bool{}
	for _, file := range files {
		for i, block := range strings.Split(read(t, file), "```hcl\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			isWitness := strings.Contains(block, "witness.hcl")
			if !strings.Contains(block, "data_dir") {
				block = "data_dir = \"/var/lib/auditlb\"\n" + block
			}
			at := fmt.Sprintf("%s, block %d", filepath.Base(file), i+1)
			path := filepath.Join(t.TempDir(), "auditlb.hcl")
			if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			if isWitness {
				if _, err := logwitness.LoadConfig(path); err != nil {
					t.Errorf("%s: %v", at, err)
				}
				continue
			}
			config, err := daemon.LoadConfig(path)
			if err != nil {
				t.Errorf("%s: %v", at, err)
				continue
			}
			for _, name := range checkIdentities(t, at, config) {
				presets[name] = true
			}
		}
	}
	if got := slices.DeleteFunc(slices.Sorted(maps.Keys(presets)), func(s string) bool { return s == "" }); !slices.Equal(got, oidc.Presets()) {
		t.Errorf("the guides show the presets %q, and there are %q", got, oidc.Presets())
	}
}

// checkIdentities compiles what a configuration says of identities, and returns
// the presets that it uses.
func checkIdentities(t *testing.T, at string, config daemon.Config) (presets []string) {
	t.Helper()
	var logins []oidc.Config
	for _, b := range config.OIDC {
		presets = append(presets, b.Preset)
		login := oidc.Config{Name: b.Name, Preset: b.Preset, Issuer: b.Issuer, Audiences: b.Audiences, Exchanges: b.Exchanges, Actor: b.Actor, Run: b.Run}
		for _, r := range b.Roles {
			login.Roles = append(login.Roles, oidc.RoleRule{When: r.When, Role: identity.Role(r.Role), Scopes: r.Scopes})
		}
		logins = append(logins, login)
	}
	if _, err := oidc.New(logins, oidc.Options{}); err != nil {
		t.Errorf("%s: %v", at, err)
	}
	var rules identity.CertificateRules
	for _, b := range config.Management.ClientCertificates {
		rules = append(rules, identity.CertificateRule{Name: b.Name, Match: b.Match, Actor: b.Actor, Role: identity.Role(b.Role), Scopes: b.Scopes})
	}
	if err := rules.Check(); err != nil {
		t.Errorf("%s: %v", at, err)
	}
	return presets
}
