package main

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
)

func TestWithoutFlagsEverythingIsMeasured(t *testing.T) {
	f, err := parse(nil)
	if err != nil || !slices.Equal(f.cases, caseNames()) || !slices.Equal(f.only, peers) {
		t.Errorf("%+v, %v", f, err)
	}
	if f.rounds < 5 {
		t.Errorf("%d rounds are too few for quartiles", f.rounds)
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-cases http1-small,http3", `"http3"`},
		{"-only haproxy,envoy", `"envoy"`},
		{"-rounds 0", "at least 1"},
		{"-reloads 0", "at least 1"},
		{"-idle-connections -1", "at least 1"},
		{"-window 500ms", "whole seconds"},
		{"-window 1500ms", "whole seconds"},
		{"http1-small", "unexpected argument"},
	} {
		t.Run(test.args, func(t *testing.T) {
			if _, err := parse(strings.Fields(test.args)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestHelpNamesEveryCase(t *testing.T) {
	var help strings.Builder
	set := flag.NewFlagSet("dataplane", flag.ContinueOnError)
	set.SetOutput(&help)
	usage(set)
	for _, name := range append(caseNames(), "Examples:") {
		if !strings.Contains(help.String(), name) {
			t.Errorf("no %q in:\n%s", name, help.String())
		}
	}
}

func TestAllMissingProgramsAreNamedWithTheirPackages(t *testing.T) {
	absent := func(string) error { return errors.New("not found") }
	err := missing(needed(caseNames(), peers), absent)
	if err == nil {
		t.Fatal("nothing is missing")
	}
	for _, word := range []string{"haproxy", "nginx", "wrk", "h2load", "apt-get install", "nghttp2-client", "libnginx-mod-stream"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("no %q in %q", word, err)
		}
	}
	if err := missing(needed(caseNames(), peers), func(string) error { return nil }); err != nil {
		t.Errorf("error = %v with everything there", err)
	}
}

func TestOnlyWhatIsNeededMustBeInstalled(t *testing.T) {
	for _, test := range []struct {
		cases, only []string
		want        string
	}{
		{[]string{caseReloads}, []string{nginx}, "nginx nginx's stream module"},
		{[]string{"http1-small"}, []string{caddy}, "nginx wrk"},
		{[]string{"h2"}, []string{haproxy}, "nginx haproxy h2load"},
	} {
		var names []string
		for _, p := range needed(test.cases, test.only) {
			names = append(names, p.name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%v against %v needs %q, want %q", test.cases, test.only, got, test.want)
		}
	}
}
