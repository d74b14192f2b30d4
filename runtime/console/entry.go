package console

import (
	"fmt"
	"strconv"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

var (
	entryPage = page{name: "entry", path: "/entries/{seq}", under: "timeline", show: (*visit).entry}
	proofPage = page{name: "entry", path: "/entries/{seq}/proof", show: (*visit).proof}
)

// entryData is what the page of an entry shows.
type entryData struct {
	*api.EntryRecord
	Difference difference
	// Previous and Following are the seqs beside it; Previous is -1 for the first.
	Previous, Following int64
}

func (v *visit) entry() (view, error) {
	seq, err := v.seq()
	if err != nil {
		return view{}, err
	}
	e, err := v.client.Entry(v.Context(), seq)
	if err != nil {
		return view{}, err
	}
	data := entryData{EntryRecord: e, Previous: seq - 1, Following: seq + 1}
	if e.Body != nil {
		if data.Difference, err = compare(e.Body.Before, e.Body.After); err != nil {
			return view{}, err
		}
	}
	return view{title: "Entry " + strconv.FormatInt(seq, 10), data: data}, nil
}

// seq is the entry that the path names.
func (v *visit) seq() (int64, error) {
	seq, err := strconv.ParseInt(v.PathValue("seq"), 10, 64)
	if err != nil || seq < 0 {
		return 0, api.NewProblem(api.CodeNotFound, "an entry's seq is a number from 0")
	}
	return seq, nil
}

// proof hands over the proof of an entry as it is.
func (v *visit) proof() (view, error) {
	seq, err := v.seq()
	if err != nil {
		return view{}, err
	}
	proof, err := v.client.Proof(v.Context(), seq)
	if err != nil {
		return view{}, err
	}
	return view{download: &download{fmt.Sprintf("entry-%d.tlog-proof", seq), api.ContentText, proof}}, nil
}
