package console

import (
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var objectsPage = page{name: "objects", path: "/objects", nav: "Objects", show: (*visit).objects}

// objectsData is what the list of objects shows.
type objectsData struct {
	Filters filters
	Kinds   []lb.Kind
	// At is the moment that the list is of.
	At      api.Point
	Objects []objectRow
	Next    string
}

// objectRow is an object in the list.
type objectRow struct {
	api.PastObject
	Owner string
}

// Address is kind/name.
func (o objectRow) Address() string { return string(o.Kind) + "/" + o.Name }

func (v *visit) objects() (view, error) {
	data := objectsData{Filters: v.filters([]string{"kind", "at"}), Kinds: lb.Kinds}
	state, err := v.client.State(v.Context(), data.Filters.Get("at"), data.Filters.Get("kind"), v.page())
	if err != nil {
		return view{}, err
	}
	data.At = state.At
	for _, o := range state.Items {
		owner, err := attributeOf(o.Object.Object, "owner")
		if err != nil {
			return view{}, err
		}
		data.Objects = append(data.Objects, objectRow{o, owner})
	}
	if state.Next != "" {
		// The same moment, so that the pages fit together.
		data.Next = data.Filters.With("cursor", state.Next)
	}
	return view{title: "Objects", data: data}, nil
}
