package dataplane

import (
	"errors"
	"strconv"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/route"
)

// refuse answers a request that no member has answered, and leaves a record.
func (x *exchange) refuse(status int, cause Cause, text string) {
	x.refuseFor(status, cause, text, 0)
}

// refuseFor also says when to try again, in whole seconds (RFC 9110 §10.2.3).
func (x *exchange) refuseFor(status int, cause Cause, text string, after time.Duration) {
	x.decide(cause, text)
	if isGRPC(x.req) {
		x.refuseGRPC(status, text)
		return
	}
	fields := make([]http1.Field, 0, 6)
	if after > 0 {
		seconds := (after + time.Second - 1) / time.Second
		fields = append(fields, textField("Retry-After", strconv.Itoa(int(seconds))))
	}
	fields = append(fields, textField("X-Content-Type-Options", "nosniff"))
	x.reply(status, "text/plain; charset=utf-8", fields, []byte(text+"\n"))
}

// refuseMalformed answers a request that can't be understood.
func (x *exchange) refuseMalformed(err error) {
	var parse *http1.ParseError
	var match *route.RequestError
	switch {
	case errors.As(err, &parse):
		x.refuse(parse.Status, CauseBadRequest, parse.Detail)
	case errors.As(err, &match):
		x.refuse(match.Status, CauseBadRequest, match.Detail)
	default:
		x.refuse(400, CauseBadRequest, "the request is malformed")
	}
}

func (x *exchange) redirect(r *route.Redirect) {
	query := x.req.Query
	if !x.req.HasQuery {
		query = nil
	}
	location := r.AppendLocation(nil, x.conn.secure, x.req.Host, x.req.Path, query)
	x.reply(r.Status, "", []http1.Field{{Name: []byte("Location"), Value: location}}, nil)
}

func (x *exchange) answerFixed(r *route.FixedResponse) {
	x.reply(r.Status, r.ContentType, nil, r.Body)
}

func textField(name, value string) http1.Field {
	return http1.Field{Name: []byte(name), Value: []byte(value)}
}

// reply answers a request itself.
func (x *exchange) reply(status int, contentType string, fields []http1.Field, content []byte) {
	x.status = status
	if contentType != "" {
		fields = append(fields, textField("Content-Type", contentType))
	}
	fields = append(fields, http1.Field{Name: []byte("Date"), Value: time.Now().UTC().AppendFormat(nil, httpTime)})
	h := http1.Response{Minor: 1, Status: status, Fields: fields, ContentLength: int64(len(content))}
	length := int64(len(content))
	switch {
	case status == 204 || status == 304:
		h.ContentLength, length = -1, noBody
	case string(x.req.Method) == "HEAD":
		length = noBody
	}
	err := x.client.begin(&h, length)
	if err == nil && length > 0 {
		x.bytesOut = length
		err = x.client.write(content, true)
	}
	if err == nil {
		err = x.client.end(nil)
	}
	if err != nil {
		x.client.abort()
	}
}

// httpTime is IMF-fixdate (RFC 9110 §5.6.7).
const httpTime = "Mon, 02 Jan 2006 15:04:05 GMT"
