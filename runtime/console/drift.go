package console

import (
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

var driftPage = page{name: "drift", path: "/drift", nav: "Drift", show: (*visit).drift}

// driftData is what the page of drift shows.
type driftData struct {
	Filters filters
	*api.DriftList
	Drifts []driftItem
	More   string
}

// driftItem is an object that is not as its workspace left it.
type driftItem struct {
	api.Drift
	Difference difference
}

// recentChanges are so many that they are shown at once.
const recentChanges = 3

// Recent are the newest changes, and Earlier those before.
func (d driftItem) Recent() []api.DriftChange { return d.Changes[:min(recentChanges, len(d.Changes))] }

// Earlier are the changes that Recent leaves out.
func (d driftItem) Earlier() []api.DriftChange { return d.Changes[len(d.Recent()):] }

// LeftOut counts the changes that are not listed.
func (d driftItem) LeftOut() int { return max(0, d.Count-len(d.Changes)) }

// Words says what happened, for people.
func (d driftItem) Words() string {
	switch d.Kind {
	case api.DriftChanged:
		return "Changed outside of " + d.Workspace
	case api.DriftDeleted:
		return "Deleted outside of " + d.Workspace
	case api.DriftRecreated:
		return "Deleted and made anew outside of " + d.Workspace
	case api.DriftAdopted:
		return "Another workspace manages it too"
	case api.DriftImported:
		return "Imported, and not changed since"
	}
	return d.Kind
}

func (v *visit) drift() (view, error) {
	data := driftData{Filters: v.filters([]string{"workspace", "resource", "all"})}
	q := api.DriftQuery{
		Workspace: data.Filters.Get("workspace"), Resource: data.Filters.Get("resource"),
		All: data.Filters.Get("all") == "true", Cursor: v.page().Cursor,
	}
	var err error
	if data.DriftList, err = v.client.Drift(v.Context(), q); err != nil {
		return view{}, err
	}
	for _, d := range data.Items {
		diff, err := patched(d.Patch)
		if err != nil {
			return view{}, err
		}
		data.Drifts = append(data.Drifts, driftItem{d, diff})
	}
	if data.Next != "" {
		data.More = data.Filters.With("cursor", data.Next)
	}
	return view{title: "Drift", data: data}, nil
}
