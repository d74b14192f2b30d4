package console

import (
	"strconv"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

var evidencePage = page{name: "evidence", path: "/evidence", nav: "Evidence", show: (*visit).evidence}

// evidenceData is what the page of evidence shows.
type evidenceData struct {
	*api.Log
	// KeyID is the id of the log's key.
	KeyID string
	// NewestAt is when the newest entry of the checkpoint was recorded: so old it is.
	NewestAt time.Time
	// CosignedSize is the size of the newest checkpoint that witnesses cosigned.
	CosignedSize int64
	Sinks        []api.Sink
	// Entry is the one that is to be proved; "" is none yet.
	Entry string
}

func (v *visit) evidence() (view, error) {
	data := evidenceData{}
	if text := v.URL.Query().Get("entry"); text != "" {
		seq, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seq < 0 {
			return view{}, api.NewProblem(api.CodeMalformed, "an entry's seq is a number from 0")
		}
		data.Entry = strconv.FormatInt(seq, 10)
	}
	var err error
	if data.Log, err = v.client.Log(v.Context()); err != nil {
		return view{}, err
	}
	if _, rest, ok := strings.Cut(data.PublicKey, "+"); ok {
		data.KeyID, _, _ = strings.Cut(rest, "+")
	}
	newest, err := v.client.Entry(v.Context(), data.Size-1)
	if err != nil {
		return view{}, err
	}
	data.NewestAt = newest.Time
	data.CosignedSize = sizeOf(data.Cosigned)
	sinks, err := v.client.Sinks(v.Context())
	if err != nil {
		return view{}, err
	}
	data.Sinks = sinks.Items
	return view{title: "Evidence", scripts: []string{"evidence.js"}, data: data}, nil
}

// sizeOf is the size that a checkpoint says (C2SP tlog-checkpoint), 0 where it says none.
func sizeOf(checkpoint string) int64 {
	_, rest, _ := strings.Cut(checkpoint, "\n")
	line, _, _ := strings.Cut(rest, "\n")
	size, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return 0
	}
	return size
}

// Behind is how many entries witnesses have not cosigned yet.
func (d evidenceData) Behind() int { return int(max(0, d.Size-d.CosignedSize)) }

// CosignedLast is the seq of the newest entry that witnesses cosigned.
func (d evidenceData) CosignedLast() int64 { return d.CosignedSize - 1 }

// Newest is the seq of the checkpoint's newest entry.
func (d evidenceData) Newest() int64 { return d.Size - 1 }
