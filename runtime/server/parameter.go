package server

import (
	"fmt"
	"strconv"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// page reads the paging parameters. The cursor is a seq or a name.
func (c *call) page() (limit int, cursor string, err error) {
	limit, cursor = api.DefaultPageSize, c.URL.Query().Get("cursor")
	if text := c.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > api.MaxPageSize {
			return 0, "", badParameter("limit", fmt.Sprintf("must be a number between 1 and %d", api.MaxPageSize))
		}
	}
	return limit, cursor, nil
}

// before reads a cursor that is a seq.
func before(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || seq < 1 {
		return 0, badParameter("cursor", "must be the next of a page")
	}
	return seq, nil
}

func badParameter(name, detail string) error {
	return api.NewProblem(api.CodeMalformed, "query parameter "+name+" "+detail)
}

func (c *call) timeParameter(name string) (time.Time, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, badParameter(name, "must be an RFC 3339 time, such as 2026-01-31T14:05:00Z")
	}
	return t, nil
}
