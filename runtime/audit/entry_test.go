package audit_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

func TestALeafReadsBackAsItWas(t *testing.T) {
	r := record(t, fullEntry(), fullBody())
	e, err := audit.ParseLeaf(r.Leaf)
	if err != nil || !reflect.DeepEqual(e, r.Entry) {
		t.Errorf("read %+v (%v), want %+v", e, err, r.Entry)
	}
	body, err := audit.ParseBody(r.Body)
	if err != nil || body.Refusal.Current.Actor != "oscar" || string(body.After) != `{"a":{"x":2,"y":1},"z":null}` {
		t.Errorf("body %+v (%v)", body, err)
	}
}

// TestOneEntryHasOneForm refuses every other spelling of a header.
func TestOneEntryHasOneForm(t *testing.T) {
	leaf := string(record(t, fullEntry(), fullBody()).Leaf)
	for name, other := range map[string]string{
		"nothing":           "",
		"noise":             "noise",
		"an array":          "[]",
		"space at the end":  leaf + " ",
		"line at the end":   leaf + "\n",
		"space within":      strings.Replace(leaf, ":", ": ", 1),
		"another order":     `{"v":1,` + strings.Replace(strings.TrimPrefix(leaf, "{"), `,"v":1`, "", 1),
		"number as float":   strings.Replace(leaf, `"seq":42`, `"seq":42.0`, 1),
		"number as text":    strings.Replace(leaf, `"seq":42`, `"seq":"42"`, 1),
		"escaped letter":    strings.Replace(leaf, "olivia", `\u006flivia`, 1),
		"unknown member":    strings.Replace(leaf, `"v":1`, `"v":1,"w":2`, 1),
		"repeated member":   strings.Replace(leaf, `"seq":42`, `"seq":42,"seq":42`, 1),
		"capital letters":   strings.Replace(leaf, `"seq"`, `"Seq"`, 1),
		"zero spelled out":  strings.Replace(leaf, `,"v":1`, `,"unplanned":false,"v":1`, 1),
		"null":              strings.Replace(leaf, `"CHG-1042"`, "null", 1),
		"another time zone": strings.Replace(leaf, "14:05:06.789012Z", "15:05:06.789012+01:00", 1),
		"bad UTF-8":         strings.Replace(leaf, "olivia", "oliv\xff", 1),
		"trailing data":     leaf + "{}",
	} {
		if other == leaf {
			t.Fatalf("%s: is the leaf itself", name)
		}
		if e, err := audit.ParseLeaf([]byte(other)); err == nil {
			t.Errorf("%s: read as %+v", name, e)
		}
	}
}

func TestABodyIsBoundToItsHeader(t *testing.T) {
	r := record(t, fullEntry(), fullBody())
	if !r.BodyMatches() {
		t.Fatal("a new record does not match itself")
	}
	for name, change := range map[string]func(*audit.Record){
		"body":    func(r *audit.Record) { r.Body = append(bytes.Clone(r.Body), ' ') },
		"no body": func(r *audit.Record) { r.Body = nil },
		"salt":    func(r *audit.Record) { r.Salt = bytes.Repeat([]byte{1}, audit.SaltBytes) },
		"no salt": func(r *audit.Record) { r.Salt = nil },
		"a byte moved from salt to body": func(r *audit.Record) {
			r.Body, r.Salt = append(bytes.Clone(r.Salt[15:]), r.Body...), r.Salt[:15]
		},
	} {
		other := r
		change(&other)
		if other.BodyMatches() {
			t.Errorf("%s changed, and it still matches", name)
		}
	}
}

func TestEntriesAreBounded(t *testing.T) {
	e := fullEntry()
	e.Actor.Name = strings.Repeat("x", audit.MaxLeafBytes)
	if _, err := audit.NewRecord(e, audit.Body{}, salt); !errors.Is(err, audit.ErrTooLarge) {
		t.Errorf("a header over its bound: %v", err)
	}
	big := audit.Body{After: []byte(`"` + strings.Repeat("x", audit.MaxBodyBytes-len(`{"after":""}`)) + `"`)}
	if r, err := audit.NewRecord(fullEntry(), big, salt); err != nil || len(r.Body) != audit.MaxBodyBytes {
		t.Errorf("a body at its bound: %v", err)
	}
	big.Unknown = []string{"/x"}
	if _, err := audit.NewRecord(fullEntry(), big, salt); !errors.Is(err, audit.ErrTooLarge) {
		t.Errorf("a body over its bound: %v", err)
	}
}

// TestWhatChangesState is the one question that fold, store and verification ask.
func TestWhatChangesState(t *testing.T) {
	want := map[audit.Type]bool{audit.TypeApply: true, audit.TypeTicket: true, audit.TypeRun: true, audit.TypeIdentity: true}
	for _, kind := range audit.Types {
		e := audit.Entry{Type: kind, Outcome: audit.OutcomeOK}
		if e.ChangesState() != want[kind] {
			t.Errorf("%s: %t", kind, e.ChangesState())
		}
		if e.Outcome = audit.OutcomeRefused; e.ChangesState() {
			t.Errorf("a refused %s changes state", kind)
		}
	}
}
