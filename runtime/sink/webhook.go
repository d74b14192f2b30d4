package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// webhook posts messages, signed as Standard Webhooks 1.0.0 says.
type webhook struct {
	*exchange
	secret    Secret
	formatter formatter
	size      int
	// idPrefix is of the log: seqs are unique within one.
	idPrefix string
}

func newWebhook(cfg *WebhookConfig, f formatter) *webhook {
	sum := sha256.Sum256([]byte(f.origin))
	return &webhook{
		exchange: newExchange(cfg.URL, cfg.HTTPConfig), secret: cfg.Secret, formatter: f, size: cfg.Batch,
		idPrefix: "auditlb_" + hex.EncodeToString(sum[:8]) + "_",
	}
}

func (w *webhook) batch() int { return w.size }

func (w *webhook) deliver(ctx context.Context, batch []message) error {
	body := w.formatter.body(batch, w.size > 1)
	header, err := w.sign(w.id(batch), time.Now(), body)
	if err != nil {
		return err
	}
	header.Set("Content-Type", w.formatter.contentType(w.size > 1))
	answer, err := w.post(ctx, header, body)
	if err != nil {
		return err
	}
	return judge(answer)
}

// id is the same each time that the same entries are sent, so that receivers can tell a
// repetition.
func (w *webhook) id(batch []message) string {
	first, last := batch[0].seq(), batch[len(batch)-1].seq()
	id := w.idPrefix + strconv.FormatInt(first, 10)
	if last != first {
		id += "-" + strconv.FormatInt(last, 10)
	}
	return id
}

func (w *webhook) sign(id string, now time.Time, body []byte) (http.Header, error) {
	text, err := w.secret()
	if err != nil {
		return nil, failed(codeCredentials, "the secret that signs can't be read")
	}
	signers, err := ParseSecrets(text)
	if err != nil {
		return nil, failed(codeCredentials, "the secret that signs is none")
	}
	signatures := make([]string, 0, len(signers))
	for _, signer := range signers {
		signature, err := signer.Sign(id, now, body)
		if err != nil {
			return nil, failed(codeCredentials, "the secret that signs is none")
		}
		signatures = append(signatures, signature)
	}
	header := http.Header{}
	header.Set(standardwebhooks.HeaderWebhookID, id)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return header, nil
}

// judge says what a webhook's answer means. What tells of the receiver, or of our access to
// it, is tried again for ever; what can only tell of the message is a rejection.
func judge(r reply) error {
	switch s := r.status; {
	case s >= 200 && s <= 299:
		return nil
	case s >= 300 && s <= 399:
		return r.answered(codeStatus, ", a redirect, which is not followed: correct its URL")
	case s == http.StatusGone:
		f := r.answered(codeGone, ": it wants no more. Remove the sink, or start auditlb again to try once more")
		f.stop = true
		return f
	case s == http.StatusUnauthorized:
		return r.answered(codeCredentials, ": it does not accept our signature or credentials")
	case s == http.StatusTooManyRequests:
		return r.answered(codeStatus, ": it asks for fewer requests")
	case s == http.StatusRequestTimeout || s >= 500 || s < 200:
		return r.answered(codeStatus, "")
	}
	return &rejected{status: r.status, detail: fmt.Sprintf("it refuses the entry (%d)", r.status)}
}
