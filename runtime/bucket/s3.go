package bucket

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // S3 demands Content-MD5 for object lock; SHA-256 is what is relied on
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// S3 is a bucket of a service that speaks S3. The service must honour If-None-Match
// on writes, as Amazon's and the current versions of the others do: nothing else keeps
// an object that is not locked from being overwritten.
type S3 struct {
	core   *minio.Core
	config S3Config
	// prefix is "" or ends in a slash.
	prefix string
	now    func() time.Time
}

// String implements Bucket.
func (s *S3) String() string {
	return fmt.Sprintf("bucket %s of %s", strings.TrimSuffix(s.config.Bucket+"/"+s.prefix, "/"), s.core.EndpointURL().Host)
}

// Put implements Bucket. The service checks the object's SHA-256, which is signed
// with the request and kept with the object.
func (s *S3) Put(ctx context.Context, key string, data []byte) error {
	if err := checkPut(key, data); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	sum, sumMD5 := sha256.Sum256(data), md5.Sum(data) //nolint:gosec // see the import
	opts := minio.PutObjectOptions{
		ContentType: "application/octet-stream",
		// Of streamed bodies alone: the sum that is given below is signed.
		DisableContentSha256: true,
		UserMetadata:         map[string]string{"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(sum[:])},
	}
	opts.SetMatchETagExcept("*")
	if s.config.LockMode != "" {
		opts.Mode = minio.RetentionMode(s.config.LockMode)
		opts.RetainUntilDate = s.now().Add(s.config.LockFor)
	}
	_, err := s.core.PutObject(ctx, s.config.Bucket, s.prefix+key, bytes.NewReader(data), int64(len(data)),
		base64.StdEncoding.EncodeToString(sumMD5[:]), hex.EncodeToString(sum[:]), opts)
	if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		held, got := s.Get(ctx, key)
		switch {
		case got != nil:
			err = errors.Join(ErrExists, got)
		case !bytes.Equal(held, data):
			err = ErrExists
		default:
			return nil
		}
	}
	return s.failed("write", key, err)
}

// Get implements Bucket.
func (s *S3) Get(ctx context.Context, key string) ([]byte, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	body, _, _, err := s.core.GetObject(ctx, s.config.Bucket, s.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.failed("read", key, err)
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, MaxObjectBytes+1))
	if err == nil && len(data) > MaxObjectBytes {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, s.failed("read", key, err)
	}
	return data, nil
}

// List implements Bucket. Objects that no key can name are passed over. The timeout
// is for each wait, however many objects there are.
func (s *S3) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stalled := time.AfterFunc(s.config.Timeout, cancel)
		defer stalled.Stop()
		for object := range s.core.ListObjectsIter(ctx, s.config.Bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}) {
			if object.Err != nil {
				yield("", s.failed("list", prefix, object.Err))
				return
			}
			key, ours := strings.CutPrefix(object.Key, s.prefix)
			if !ours || CheckKey(key) != nil {
				continue
			}
			stalled.Stop()
			if !yield(key, nil) {
				return
			}
			stalled.Reset(s.config.Timeout)
		}
	}
}

// failed says what went wrong. Of what the service says only its code is repeated:
// the rest is text from outside.
func (s *S3) failed(what, key string, err error) error {
	if err == nil {
		return nil
	}
	if said := minio.ToErrorResponse(err); said.Code != "" && said.StatusCode != 0 {
		err = fmt.Errorf("%.60q (status %d)", said.Code, said.StatusCode)
		if said.StatusCode == http.StatusNotFound && said.Code != minio.NoSuchBucket {
			err = ErrNotFound
		}
	}
	return fmt.Errorf("%s %s in %s: %w", what, key, s, err)
}

// bounded cuts off answers that are longer than any that is asked for.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, MaxObjectBytes+1)
	}
	return resp, err
}
