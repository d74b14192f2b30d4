package bucket

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Defaults and bounds of S3.
const (
	DefaultS3Endpoint = "https://s3.amazonaws.com"
	DefaultS3Region   = "us-east-1"
	DefaultS3Timeout  = 30 * time.Second
	MaxS3Timeout      = 10 * time.Minute
	// MaxRetention bounds how long object lock may hold an object.
	MaxRetention = 100 * 365 * 24 * time.Hour

	maxFile = 1 << 20
)

// Modes of object lock. Under governance a few who have the right for it can end the
// retention of an object early; under compliance nobody can.
const (
	Governance = "GOVERNANCE"
	Compliance = "COMPLIANCE"
)

// S3Config describes a bucket of a service that speaks S3.
type S3Config struct {
	// Endpoint is the URL of the service. Default: https://s3.amazonaws.com.
	Endpoint string
	// Bucket is required. It must exist.
	Bucket string
	// Prefix stands before every key, with a slash between.
	Prefix string
	// Region of the bucket. Default: us-east-1.
	Region string
	// PathStyle puts the bucket into the path of URLs rather than into the host's name.
	PathStyle bool
	// CAFile holds the authorities of the endpoint's certificate, in PEM. Default: the
	// machine's.
	CAFile string
	// CredentialsFile holds access keys in the form of AWS's shared credentials file,
	// and Profile says which of them; "default" when empty. Without a file, they come
	// from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, else from the role of the
	// machine, the container or the pod.
	CredentialsFile, Profile string
	// InsecureHTTP admits an http:// endpoint that is not loopback.
	InsecureHTTP bool
	// Timeout bounds one call, retries included. Default: 30s; at most 10m.
	Timeout time.Duration
	// LockMode and LockFor hold every object that is written for a time: Governance or
	// Compliance, from the moment of writing. Empty: no object lock. The bucket must
	// have been made with object lock.
	LockMode string
	LockFor  time.Duration
}

// check fills in defaults and names the setting that is wrong.
func (c *S3Config) check() (*url.URL, error) {
	if c.Endpoint == "" {
		c.Endpoint = DefaultS3Endpoint
	}
	if c.Region == "" {
		c.Region = DefaultS3Region
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultS3Timeout
	}
	endpoint, err := url.Parse(c.Endpoint)
	switch {
	case err != nil, endpoint.Host == "", endpoint.Scheme != "https" && endpoint.Scheme != "http",
		endpoint.User != nil, strings.Trim(endpoint.Path, "/") != "", endpoint.RawQuery != "", endpoint.Fragment != "":
		return nil, fmt.Errorf("endpoint must be a URL such as %s, with no path and no credentials in it", DefaultS3Endpoint)
	case endpoint.Scheme == "http" && !c.InsecureHTTP && !lb.IsLoopback(endpoint.Hostname()):
		return nil, fmt.Errorf("endpoint: %s is not loopback: use https, or set insecure_http = true where the network is trusted", endpoint.Host)
	case s3utils.CheckValidBucketNameStrict(c.Bucket) != nil:
		return nil, fmt.Errorf("bucket: %.100q can't be the name of a bucket", c.Bucket)
	case c.Prefix != "" && (CheckKey(c.Prefix) != nil || len(c.Prefix) > MaxKeyBytes/2):
		return nil, fmt.Errorf("prefix: %.100q must be names with slashes between them, at most %d bytes", c.Prefix, MaxKeyBytes/2)
	case c.Timeout < 0 || c.Timeout > MaxS3Timeout:
		return nil, fmt.Errorf("timeout must be more than 0 and at most %s", MaxS3Timeout)
	case c.LockMode == "" && c.LockFor != 0, c.LockMode != "" && c.LockMode != Governance && c.LockMode != Compliance:
		return nil, fmt.Errorf("object lock: mode must be %s or %s", Governance, Compliance)
	case c.LockMode != "" && (c.LockFor <= 0 || c.LockFor > MaxRetention):
		return nil, errors.New("object lock: objects must be held for at least a day, and at most 100 years")
	}
	return endpoint, nil
}

// keys returns where access keys come from.
func (c *S3Config) keys() (*credentials.Credentials, error) {
	if c.CredentialsFile == "" {
		return credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.IAM{}}), nil
	}
	info, err := os.Stat(c.CredentialsFile)
	if err != nil {
		return nil, fmt.Errorf("credentials_file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("credentials_file: %s can be read by others (mode %v): chmod 600 it", c.CredentialsFile, info.Mode().Perm())
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("credentials_file: %s is too large for what it should hold", c.CredentialsFile)
	}
	return credentials.NewFileAWSCredentials(c.CredentialsFile, c.Profile), nil
}

func (c *S3Config) transport() (http.RoundTripper, error) {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  c.Timeout,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		// An object is what was written, not what a server makes of it on the way.
		DisableCompression: true,
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate in PEM", c.CAFile)
		}
	}
	return bounded{t}, nil
}

// OpenS3 makes a bucket of a configuration. Nothing is asked of the service yet.
func OpenS3(c S3Config) (*S3, error) {
	endpoint, err := c.check()
	if err != nil {
		return nil, err
	}
	keys, err := c.keys()
	if err != nil {
		return nil, err
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupAuto
	if c.PathStyle {
		lookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds: keys, Secure: endpoint.Scheme == "https", Region: c.Region, BucketLookup: lookup, Transport: transport, MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	prefix := c.Prefix
	if prefix != "" {
		prefix += "/"
	}
	return &S3{core: core, config: c, prefix: prefix, now: time.Now}, nil
}
