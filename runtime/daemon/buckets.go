package daemon

import (
	"errors"
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
)

// S3 is a bucket of a service that speaks S3. What its attributes mean and may be
// stands with [bucket.S3Config].
type S3 struct {
	Endpoint        string      `hcl:"endpoint,optional"`
	Bucket          string      `hcl:"bucket"`
	Prefix          string      `hcl:"prefix,optional"`
	Region          string      `hcl:"region,optional"`
	PathStyle       bool        `hcl:"path_style,optional"`
	CAFile          string      `hcl:"ca_file,optional"`
	CredentialsFile string      `hcl:"credentials_file,optional"`
	Profile         string      `hcl:"profile,optional"`
	InsecureHTTP    bool        `hcl:"insecure_http,optional"`
	Timeout         string      `hcl:"timeout,optional"`
	ObjectLock      *ObjectLock `hcl:"object_lock,block"`
}

// ObjectLock holds what is written for a time. The bucket must have been made with
// object lock.
type ObjectLock struct {
	// Mode is GOVERNANCE, under which a few can end it early, or COMPLIANCE, under
	// which nobody can.
	Mode string `hcl:"mode"`
	// Days counts from when an object is written.
	Days int `hcl:"days"`
}

// open makes the bucket that a block names: a directory or S3.
func openBucket(directory string, s3 *S3) (bucket.Bucket, error) {
	switch {
	case (directory == "") == (s3 == nil):
		return nil, errors.New("say where to: either directory = \"…\" or one block s3")
	case directory != "":
		b, err := bucket.OpenDir(directory)
		if err != nil {
			return nil, fmt.Errorf("directory: %w", err)
		}
		return b, nil
	}
	c, err := s3.config()
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	b, err := bucket.OpenS3(c)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return b, nil
}

func (s *S3) config() (bucket.S3Config, error) {
	c := bucket.S3Config{
		Endpoint: s.Endpoint, Bucket: s.Bucket, Prefix: s.Prefix, Region: s.Region, PathStyle: s.PathStyle,
		CAFile: s.CAFile, CredentialsFile: s.CredentialsFile, Profile: s.Profile, InsecureHTTP: s.InsecureHTTP,
	}
	var err error
	if c.Timeout, err = duration("timeout", s.Timeout); err != nil {
		return c, err
	}
	if lock := s.ObjectLock; lock != nil {
		if lock.Days < 1 || lock.Days > int(bucket.MaxRetention/(24*time.Hour)) {
			return c, fmt.Errorf("object_lock: days = %d must be 1 to %d", lock.Days, int(bucket.MaxRetention/(24*time.Hour)))
		}
		c.LockMode, c.LockFor = lock.Mode, time.Duration(lock.Days)*24*time.Hour
	}
	return c, nil
}
