package console

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var objectPage = page{name: "object", path: "/objects/{kind}/{name}", under: "objects", show: (*visit).object}

// objectData is what the page of an object shows.
type objectData struct {
	Address lb.Address
	// Blame is the object as it was at a moment, with who set what. Past is set when
	// another moment than now was asked for.
	Blame *api.Blame
	Past  bool
	// Rows are the attributes of the object.
	Rows []blameRow
	// History are the changes of the object, newest first.
	History []api.EntryRecord
	Older   string
	// From and To are the revisions that are compared unless others are chosen: the
	// newest with the one before it.
	From, To int64
	Watch    *watch
}

// blameRow is an attribute with who set it.
type blameRow struct {
	Path, Value string
	// Unset is set where there is no value, or an empty one.
	Unset bool
	api.BlamedAttribute
	// Span is how many rows from this one on the same change has set; 0 where it is that of
	// the row above.
	Span int
}

func (v *visit) object() (view, error) {
	address, err := lb.ParseAddress(v.PathValue("kind") + "/" + v.PathValue("name"))
	if err != nil {
		return view{}, api.NewProblem(api.CodeNotFound, err.Error())
	}
	data := objectData{Address: address}
	at := v.URL.Query().Get("at")
	if data.Blame, err = v.client.Blame(v.Context(), address, at); err != nil {
		return view{}, err
	}
	data.Past = at != "" && at != "now"
	first := 0
	for i, a := range data.Blame.Attributes {
		row := blameRow{Path: attributePath(a.Pointer), BlamedAttribute: a}
		if row.Value, row.Unset, err = listed(a.Value); err != nil {
			return view{}, err
		}
		data.Rows = append(data.Rows, row)
		if data.Rows[first].Change.Revision != a.Change.Revision {
			first = i
		}
		data.Rows[first].Span++
	}
	list, err := v.client.Entries(v.Context(), api.EntryQuery{Resource: address.String(), Type: "apply", Cursor: v.page().Cursor, IncludePatch: true})
	if err != nil {
		return view{}, err
	}
	if data.History = list.Items; list.Next != "" {
		values := url.Values{"cursor": {list.Next}}
		if data.Past {
			values.Set("at", at)
		}
		data.Older = v.URL.EscapedPath() + "?" + values.Encode() + "#history"
	}
	if len(data.History) > 0 {
		data.To, data.From = data.History[0].Seq, data.History[0].Seq
	}
	if len(data.History) > 1 {
		data.From = data.History[1].Seq
	}
	data.Watch = v.watching(address.String(), data.History, "apply")
	return view{title: address.String(), scripts: []string{"watch.js"}, data: data}, nil
}

// attributeOf is a text at the top of an object, or "".
func attributeOf(object jsontext.Value, name string) (string, error) {
	rows, err := leaves(object)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if slices.Equal(row.path, []string{name}) {
			return row.text, nil
		}
	}
	return "", nil
}

var diffPage = page{name: "diff", path: "/diff", under: "objects", show: (*visit).diff}

// diffData is what the page of a difference shows.
type diffData struct {
	Filters filters
	*api.Diff
	Objects []objectDiff
	Next    string
}

// objectDiff is one object's part of a difference.
type objectDiff struct {
	api.ObjectDiff
	Difference difference
}

// diff puts two moments beside each other, of one object or of everything.
func (v *visit) diff() (view, error) {
	data := diffData{Filters: v.filters([]string{"from", "to", "resource"})}
	from, to := data.Filters.Get("from"), data.Filters.Get("to")
	if from == "" {
		return view{}, api.NewProblem(api.CodeMalformed, "say from where to compare: "+api.PointForms)
	}
	if a, errA := strconv.ParseInt(from, 10, 64); errA == nil {
		// Two revisions are compared in the order in which they were made.
		if b, errB := strconv.ParseInt(to, 10, 64); errB == nil && b < a {
			from, to = to, from
		}
	}
	resource := data.Filters.Get("resource")
	var err error
	if data.Diff, err = v.client.Diff(v.Context(), from, to, resource, client.Page{Limit: 100, Cursor: v.page().Cursor}); err != nil {
		return view{}, err
	}
	for _, o := range data.Items {
		d, err := compare(o.Before, o.After)
		if err != nil {
			return view{}, err
		}
		data.Objects = append(data.Objects, objectDiff{o, d})
	}
	if data.Diff.Next != "" {
		data.Next = data.Filters.With("cursor", data.Diff.Next)
	}
	title := "Difference"
	if resource != "" {
		title += " of " + resource
	}
	return view{title: title, data: data}, nil
}
