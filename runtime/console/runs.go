package console

import (
	"net/url"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

var (
	runsPage = page{name: "runs", path: "/runs", nav: "Runs", show: (*visit).runs}
	runPage  = page{name: "run", path: "/runs/{id...}", under: "runs", show: (*visit).run}
)

// runsData is what the list of runs shows.
type runsData struct {
	Runs  []api.Run
	Older string
}

func (v *visit) runs() (view, error) {
	list, err := v.client.Runs(v.Context(), v.page())
	if err != nil {
		return view{}, err
	}
	data := runsData{Runs: list.Items}
	if list.Next != "" {
		data.Older = runsURL + "?" + url.Values{"cursor": {list.Next}}.Encode()
	}
	return view{title: "Runs", data: data}, nil
}

const runsURL = Root + "runs"

// runData is what the page of a run shows: planned against applied.
type runData struct {
	*api.RunReport
	Effects []runEffect
	More    string
	Watch   *watch
}

// runEffect is an effect with what it does.
type runEffect struct {
	api.RunEffect
	Difference difference
	// Open shows the difference at once: where there are few, and no whole objects.
	Open bool
}

// fewEffects are so many that their differences are shown at once.
const fewEffects = 8

func (v *visit) run() (view, error) {
	id := v.PathValue("id")
	newest, err := v.client.Entries(v.Context(), api.EntryQuery{Run: id, Limit: 1})
	if err != nil {
		return view{}, err
	}
	report, err := v.client.RunReport(v.Context(), id, v.page())
	if err != nil {
		return view{}, err
	}
	data := runData{RunReport: report}
	for _, e := range report.Effects {
		d, err := patched(e.Patch)
		if err != nil {
			return view{}, err
		}
		data.Effects = append(data.Effects, runEffect{e, d, len(report.Effects) <= fewEffects && !d.Creates && !d.Deletes})
	}
	if report.Next != "" {
		data.More = runURL(id) + "?" + url.Values{"cursor": {report.Next}}.Encode()
	}
	if data.Watch = v.watching("run/"+id, newest.Items, api.EntryTypes...); data.Watch != nil {
		data.Watch.Run = id
	}
	return view{title: "Run " + id, scripts: []string{"watch.js"}, data: data}, nil
}
