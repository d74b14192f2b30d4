package lb

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

func TestRegularExpressionsAreBounded(t *testing.T) {
	tests := []struct{ name, expr, says string }{
		{"path", `/users/([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/.*)?`, ""},
		{"DNS labels", `(?i)([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,63}`, ""},
		{"named group", `/(?P<id>\d+)`, ""},
		{"at the bound", `a{1000}`, ""},
		{"none", "", "is required"},
		{"1,025 bytes", strings.Repeat("a", 1025), "at most 1024"},
		{"not UTF-8", "\xff", "valid UTF-8"},
		{"quotation without an end", `/\Qa`, "is not an RE2 expression"},
		{"parentheses that only others would close", `a)|(b`, "unexpected )"},
		{"parenthesis", `/(a`, "missing closing ): \"/(a\""},
		{"look-ahead, which RE2 has not", `/(?!a)`, "is not an RE2 expression"},
		{"back reference, which RE2 has not", `(a)\1`, "is not an RE2 expression"},
		{"repetition", `(ab){501}`, "is too large"},
		{"repetitions within each other", `((abc{2}){20}){10}`, "is too large"},
		{"repetitions that RE2 has not", `((a{10}){10}){11}`, "is not an RE2 expression"},
		{"repetition without an end", `(abcde){300,}`, "is too large"},
		{"many repetitions", strings.Repeat(`a{100}`, 10) + `b`, "is too large"},
		{"secret that is no expression", "(" + strings.Repeat("s", 100), "a value of 101 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := checkRegex(tt.expr); (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) {
				t.Errorf("%q, want … %s …", got, tt.says)
			}
		})
	}
}

// FuzzRegex holds: what is accepted compiles, also in parentheses, to a program in
// proportion to the bound.
func FuzzRegex(f *testing.F) {
	for _, expr := range []string{`/a/(b|c)+/\d{3}`, `((a{30}){30})`, `(?i)[^/]{1,255}`, `\pL{500}`, `(((((a?){2}){2}){2}){2}){2}`, `(|a){100}`, `(?:(?:^).)`, `\Q*\E`, `\Q`} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		if checkRegex(expr) != "" {
			return
		}
		if _, err := regexp.Compile(`^(?s:` + expr + `)$`); err != nil {
			t.Fatalf("%q does not compile: %v", expr, err)
		}
		re, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		prog, err := syntax.Compile(re.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if len(prog.Inst) > 20*MaxRegexSize {
			t.Fatalf("%q: %d instructions", expr, len(prog.Inst))
		}
	})
}

func TestTemplatesReferToGroupsThatAreThere(t *testing.T) {
	const expr = `/(?P<id>\d+)/(.*)`
	tests := []struct{ name, template, says string }{
		{"no reference", "/x", ""},
		{"numbers", "/$1/${2}", ""},
		{"the whole match", "/p$0", ""},
		{"name", "/$id/${id}x", ""},
		{"dollar sign", "/$$1/$$", ""},
		{"number that is not there", "/$3", `refers to "$3"`},
		{"name that is not there", "/$x", `refers to "$x"`},
		{"number that runs into a word", "/$1x", `refers to "$1x"`},
		{"number beyond all", "/$99999999999999999999", "refers to"},
		{"dollar sign alone", "/$/a", "write $$"},
		{"dollar sign at the end", "/a$", "write $$"},
		{"brace that is open", "/${1", "write $$"},
		{"empty braces", "/${}", "write $$"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := checkTemplate(tt.template, expr); (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) {
				t.Errorf("%q, want … %s …", got, tt.says)
			}
		})
	}
}
