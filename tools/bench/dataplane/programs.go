package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/proxy"
)

// program is one that must be installed, and Debian's package that has it.
type program struct{ name, pkg string }

// streamModule is no program of its own, but a package.
const streamModule = "nginx's stream module"

// needed are the programs that the chosen cases and peers need.
func needed(cases, only []string) []program {
	programs := []program{{"nginx", "nginx"}} // the backend too
	if slices.Contains(only, haproxy) {
		programs = append(programs, program{"haproxy", "haproxy"})
	}
	if slices.Contains(only, nginx) {
		programs = append(programs, program{streamModule, "libnginx-mod-stream"})
	}
	if slices.Contains(cases, "h2") {
		programs = append(programs, program{"h2load", "nghttp2-client"})
	}
	ownClients := []string{"h2", "tls-handshake", caseIdle, caseIdleTLS, caseReloads}
	if slices.ContainsFunc(cases, func(c string) bool { return !slices.Contains(ownClients, c) }) {
		programs = append(programs, program{"wrk", "wrk"})
	}
	return programs
}

// missing fails with the packages of all programs that find does not find.
func missing(programs []program, find func(name string) error) error {
	var names, packages []string
	for _, p := range programs {
		if find(p.name) != nil {
			names = append(names, p.name)
			packages = append(packages, p.pkg)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%s not found; on Debian: apt-get install %s", strings.Join(names, ", "), strings.Join(packages, " "))
}

// installed fails if a program is not there.
func installed(ctx context.Context, name string) error {
	if name == streamModule {
		if _, ok := proxy.NginxStream(ctx); !ok {
			return exec.ErrNotFound
		}
		return nil
	}
	_, err := exec.LookPath(name)
	return err
}

// sources is where the peers that are built lie, from the folder tools.
const sources = "bench/dataplane"

// build builds the peers that are Go programs.
func build(ctx context.Context, bin string, only []string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	for _, name := range []string{caddy, reverseproxy} {
		if !slices.Contains(only, name) {
			continue
		}
		fmt.Printf("building %s; the first time takes minutes\n", name)
		cmd := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(sources, name), "-o", filepath.Join(bin, "tools", name), ".")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return nil
}
