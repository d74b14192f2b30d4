package console

import (
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// words are the functions of templates.
var words = template.FuncMap{
	"entryURL":    entryURL,
	"objectURL":   objectURL,
	"resourceURL": resourceURL,
	"runURL":      runURL,
	"ticketURL":   ticketURL,
	"actorURL":    actorURL,
	"filterURL":   filterURL,
	"external":    external,
	"stamp":       func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"moment":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"date":        func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"count":       count,
	"short":       func(digest string) string { return digest[:min(12, len(digest))] },
	"summary":     summary,
	"attribute":   attributePath,
	"pieces":      pieces,
	"long":        long,
	"form":        func(f *frame, a ticketAction) actionForm { return actionForm{f, a} },
	"gone":        gone,
	"shell":       shell,
	"plainly":     plainly,
	"join":        strings.Join,
}

func entryURL(seq int64) string { return Root + "entries/" + strconv.FormatInt(seq, 10) }

func ticketURL(id string) string { return Root + "tickets/" + url.PathEscape(id) }

func runURL(id string) string { return Root + "runs/" + url.PathEscape(id) }

// actorURL leads to what somebody did.
func actorURL(name string) string { return filterURL("actor", name) }

// filterURL leads to the timeline of what one filter lets through.
func filterURL(name, value string) string { return Root + "?" + url.Values{name: {value}}.Encode() }

// objectURL leads to an object by its address.
func objectURL(address string) string {
	kind, name, _ := strings.Cut(address, "/")
	return Root + "objects/" + url.PathEscape(kind) + "/" + url.PathEscape(name)
}

// resourceURL leads to what an entry is about.
func resourceURL(resource string) string {
	kind, id, _ := strings.Cut(resource, "/")
	switch {
	case id == "":
	case lb.Kind(kind).Valid():
		return objectURL(resource)
	case kind == "ticket":
		return ticketURL(id)
	case kind == "run":
		return runURL(id)
	}
	return filterURL("resource", resource)
}

// external returns a URL that somebody wrote if it leads to a web page, else "".
func external(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return text
}

// count writes a number with its noun: "1 change", "3 changes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		noun = stem + "ie"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// attributePath writes a JSON pointer as people write attributes: members.a.weight. The end
// of a list is the list.
func attributePath(pointer string) string {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(pointer, "/"), "/-"), "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return strings.Join(parts, ".")
}

// pieces cuts an attribute where a line may end: after each dot and underscore.
func pieces(path string) []string {
	var out []string
	for i := strings.IndexAny(path, "._"); i >= 0; i = strings.IndexAny(path, "._") {
		out, path = append(out, path[:i+1]), path[i+1:]
	}
	return append(out, path)
}

// longText is a text of many lines, such as a chain of certificates.
type longText struct {
	First string
	More  int
}

// long returns what to say of a text in place of showing it at once; nil of a short one.
func long(text string) *longText {
	const most = 8
	first, _, _ := strings.Cut(text, "\n")
	if more := strings.Count(strings.TrimSpace(text), "\n"); more >= most {
		return &longText{first, more}
	}
	return nil
}

// plainly writes the words that programs read for people.
func plainly(word string) string {
	switch word {
	case api.EffectApplied:
		return "applied as planned"
	case api.RunNothing:
		return "nothing to do"
	case api.RunPartial:
		return "applied in part"
	case api.RunUnclear:
		return "not clear"
	case api.RunPlanned:
		return "planned only"
	}
	return strings.ReplaceAll(word, "_", " ")
}

var plainArgument = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9/._:@=+-]*$`)

// shell writes an argument of a command that people copy, so that it is one whatever it
// holds.
func shell(argument string) string {
	if plainArgument.MatchString(argument) {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

// gone says where a body is that the log no longer holds, or "".
func gone(state string, erasedBy int64) string {
	switch state {
	case api.BodyErased:
		return fmt.Sprintf("erased by policy in entry %d", erasedBy)
	case api.BodyUnavailable:
		return "can't be had just now: it is not in the log any more"
	}
	return ""
}

// summary says in a line what an entry did to its object.
func summary(e *api.EntryRecord) string {
	const most = 3
	if text := gone(e.BodyState, e.BodyErasedBy); text != "" {
		return "what changed was " + text
	}
	if e.Outcome == "refused" || e.Type == "run" {
		return ""
	}
	var parts []string
	for i, c := range e.Patch {
		if i == most {
			return fmt.Sprintf("%s, and %d more", strings.Join(parts, ", "), len(e.Patch)-most)
		}
		if c.Path == "" {
			continue // a whole object: the operation says it
		}
		parts = append(parts, changed(c))
	}
	return strings.Join(parts, ", ")
}

// changed says in a few words what one step of a patch does.
func changed(c lb.Change) string {
	path := attributePath(c.Path)
	switch c.Op {
	case "add":
		return strings.TrimSuffix("+"+path+" "+brief(c.Value), " ")
	case "remove":
		return "−" + path
	}
	old, now := brief(c.Old), brief(c.Value)
	if old == "" || now == "" {
		return path + " changed"
	}
	return path + " " + old + " → " + now
}

// brief is the beginning of a value; nothing of what is not a single value of one line.
func brief(v jsontext.Value) string {
	const most = 40
	text := string(v)
	switch v.Kind() {
	case '"':
		if unquoted, err := jsontext.AppendUnquote(nil, v); err == nil {
			text = string(unquoted)
		}
	case '{', '[':
		return ""
	}
	if strings.Contains(text, "\n") {
		return ""
	}
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
