package dataplane

import (
	"errors"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/balance"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// maxTries is how often one request can be sent.
const maxTries = lb.MaxRetryAttempts + 1

// response is a member's answer, in HTTP/1.1 or HTTP/2.
type response interface {
	body
	// head is valid until release.
	head() *http1.Response
	// length is that of the body, or lengthUnknown, or noBody.
	length() int64
	// within bounds the wait for the next piece.
	within(time.Duration)
	// release ends the try: its connection is kept if the exchange left it clean.
	release()
}

// failure is a try that brought no response.
type failure struct {
	cause lb.RetryCause
	// again says that sending the request a second time is safe, whatever it is:
	// nothing of it was sent.
	again bool
	// client says that the client is to blame, with what it is answered.
	client int
	err    error
}

// forward sends the request to a member of the pool and its response to the client,
// and tries again where that is allowed and safe.
func (x *exchange) forward() {
	x.pool = x.st.pools[x.poolName]
	if x.pool == nil {
		x.refuse(503, CauseNoMember, "no healthy member")
		return
	}
	if x.route != nil {
		if limit := x.route.Timeouts.Request.Std(); limit > 0 {
			x.deadline = x.began.Add(limit)
		}
	}
	x.choose()
	x.pool.budget.Request(x.began)
	_, replayable := x.client.replay()
	replayable = replayable && isIdempotent(x.req.Method)
	for {
		if !x.acquire() {
			return
		}
		resp, fail := x.try()
		if fail == nil {
			status := resp.head().Status
			x.report(status >= 500)
			if cause, bad := x.pool.retryStatus(status); bad && replayable && x.mayRetry(cause) {
				resp.release()
				x.member.load.Release()
				continue
			}
			x.relay(resp)
			x.member.load.Release()
			return
		}
		if fail.client == 0 {
			x.report(true)
		}
		x.member.load.Release()
		if fail.client == 0 && (fail.again || replayable) && x.mayRetry(fail.cause) {
			continue
		}
		x.fail(fail)
		return
	}
}

// isIdempotent is RFC 9110 §9.2.2.
func isIdempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// acquire chooses the member of the next try; if there is none the request is answered.
func (x *exchange) acquire() bool {
	x.pick.Tried = x.tried[:x.tries]
	choice, err := x.pool.balancer.Acquire(x.pick)
	if errors.Is(err, balance.ErrSaturated) && !x.waited {
		x.waited = true
		choice, err = x.wait()
	}
	switch {
	case errors.Is(err, balance.ErrSaturated):
		x.refuseFor(503, CauseLimit, "every member is busy", time.Second)
		return false
	case err != nil:
		x.refuse(503, CauseNoMember, "no healthy member")
		return false
	}
	x.member = x.pool.active[choice.Index]
	x.tried[x.tries] = choice.Index
	x.tries++
	x.tie(choice.Index)
	if choice.AffinityBroken && x.tries == 1 && x.pool.config.Affinity != nil {
		x.decide(CauseAffinity, "")
	}
	if choice.Backup && x.tries == 1 {
		x.decide(CauseBackup, "")
	}
	return true
}

// wait waits for a member to have room, in turn, for as long as connecting may take.
func (x *exchange) wait() (balance.Choice, error) {
	choice, err := x.pool.balancer.Wait(x.pick, x.front.engine.ending.Done(), x.pool.config.Timeouts.Connect.Std())
	if err != nil && !errors.Is(err, balance.ErrNoMember) {
		err = balance.ErrSaturated
	}
	return choice, err
}

// mayRetry reports whether the request may be tried once more, and takes that from
// the pool's budget.
func (x *exchange) mayRetry(cause lb.RetryCause) bool {
	p := x.pool
	if x.tries > p.config.Retries.Attempts || !p.retriesOn(cause) || x.client.gone() {
		return false
	}
	if !x.deadline.IsZero() && time.Now().After(x.deadline) || !p.budget.TryRetry(time.Now(), p.config.Retries.BudgetPercent) {
		return false
	}
	x.decide(CauseRetry, string(cause))
	return true
}

// report tells the balancer how the member did.
func (x *exchange) report(failed bool) {
	if x.pool.config.OutlierDetection != nil {
		x.member.load.Report(failed)
	}
}

// fail answers a request that no member has answered.
func (x *exchange) fail(f *failure) {
	x.front.engine.log.Debug("request failed", "pool", x.poolName, "member", x.member.key, "request", string(x.id), "cause", f.cause, "error", f.err)
	switch {
	case f.client == statusClientGone:
		x.status = statusClientGone
		x.client.abort()
	case f.client == 408:
		x.refuse(408, CauseTimeout, "the request's body did not arrive in time")
	case f.client == 413:
		x.refuse(413, CauseLimit, "the request's body is too large")
	case f.client != 0:
		x.refuse(f.client, CauseBadRequest, "the request's body can't be read")
	case f.cause == lb.RetryTimeout:
		x.refuse(504, CauseTimeout, "the member did not answer in time")
	default:
		x.refuse(502, CauseFailed, "the member failed")
	}
}

// try sends the request to the member that was acquired.
func (x *exchange) try() (response, *failure) {
	if x.member.http2 != nil {
		return x.tryHTTP2()
	}
	return x.tryHTTP1()
}

// responseTimeout is how long the member may take to begin its response.
func (x *exchange) responseTimeout() time.Duration {
	limit := x.pool.config.Timeouts.Response.Std()
	if x.route != nil {
		if own := x.route.Timeouts.Response.Std(); own > 0 {
			limit = own
		}
	}
	if each := x.pool.config.Retries.PerTryTimeout.Std(); each > 0 {
		limit = min(limit, each)
	}
	if !x.deadline.IsZero() {
		limit = max(min(limit, time.Until(x.deadline)), time.Millisecond)
	}
	return limit
}

// relay sends a member's response to the client.
func (x *exchange) relay(resp response) {
	h := resp.head()
	x.status = h.Status
	if h.Status == 101 {
		x.tunnel(resp)
		return
	}
	length := resp.length()
	if err := x.client.begin(h, length); err != nil {
		x.abandon(resp)
		return
	}
	if length != noBody {
		if err := x.relayBody(resp); err != nil {
			x.abandon(resp)
			return
		}
	}
	if x.client.end(resp.trailer()) != nil {
		x.client.abort()
	}
	resp.release()
}

func (x *exchange) relayBody(resp response) error {
	if done, err := x.spliceBody(resp); done || err != nil {
		return err
	}
	for {
		if !x.deadline.IsZero() {
			left := time.Until(x.deadline)
			if left <= 0 {
				x.decide(CauseTimeout, "request")
				return rawconn.ErrTimeout
			}
			resp.within(left)
		}
		piece, err := resp.next()
		if err != nil {
			return endOfBody(err)
		}
		x.bytesOut += int64(len(piece))
		if err := x.client.write(piece, resp.ready()); err != nil {
			return err
		}
	}
}

// abandon ends an exchange whose response can't be completed.
func (x *exchange) abandon(resp response) {
	x.client.abort()
	resp.release()
}
