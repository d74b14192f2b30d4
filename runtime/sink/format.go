package sink

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// formatter renders the entries of one log.
type formatter struct {
	// origin is the log's name, and version that of the runtime, if known.
	origin, version string
	format          Format
	envelope        string
}

// message renders an entry, as JSON in one line.
func (f formatter) message(e *api.EntryRecord) (message, error) {
	var value any = e
	if f.format == OCSF {
		value = f.ocsf(e)
	}
	payload, err := marshal(value)
	if err == nil && f.envelope == CloudEvents {
		payload, err = marshal(f.cloudEvent(e, payload))
	}
	if err != nil {
		return message{}, fmt.Errorf("render entry %d: %w", e.Seq, err)
	}
	return message{entry: e, payload: payload}, nil
}

func marshal(v any) (jsontext.Value, error) { return json.Marshal(v, json.Deterministic(true)) }

// body is the body of a request: a message, or an array of messages.
func (f formatter) body(batch []message, array bool) []byte {
	if !array {
		return batch[0].payload
	}
	out := []byte{'['}
	for i := range batch {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, batch[i].payload...)
	}
	return append(out, ']')
}

// contentType is the media type of a body.
func (f formatter) contentType(array bool) string {
	switch {
	case f.envelope == "":
		return "application/json"
	case array:
		return "application/cloudevents-batch+json"
	}
	return "application/cloudevents+json"
}

// cloudEvent is an event of CloudEvents 1.0.
type cloudEvent struct {
	SpecVersion     string         `json:"specversion"`
	ID              string         `json:"id"`
	Source          string         `json:"source"`
	Type            string         `json:"type"`
	Subject         string         `json:"subject,omitzero"`
	Time            time.Time      `json:"time"`
	DataContentType string         `json:"datacontenttype"`
	DataSchema      string         `json:"dataschema,omitzero"`
	Data            jsontext.Value `json:"data"`
}

func (f formatter) cloudEvent(e *api.EntryRecord, data jsontext.Value) cloudEvent {
	ce := cloudEvent{
		SpecVersion: "1.0", ID: f.uid(e), Source: (&url.URL{Path: f.origin}).String(), Type: "dev.auditlb.entry." + e.Type,
		Subject: e.Resource, Time: e.Time, DataContentType: "application/json", Data: data,
	}
	if f.format == OCSF {
		ce.DataSchema = "https://schema.ocsf.io/" + ocsfVersion + "/classes/" + classOf(e).name
	}
	return ce
}

// uid names an entry among those of all logs.
func (f formatter) uid(e *api.EntryRecord) string {
	return f.origin + "/" + strconv.FormatInt(e.Seq, 10)
}
