package lb

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// HealthCheckType is how a member's health is probed.
type HealthCheckType string

// The types of health check.
const (
	HealthHTTP HealthCheckType = "http"
	HealthTCP  HealthCheckType = "tcp"
	// HealthGRPC asks the service grpc.health.v1.Health.
	HealthGRPC HealthCheckType = "grpc"
)

// HealthCheckTypes lists every type of health check.
var HealthCheckTypes = []HealthCheckType{HealthHTTP, HealthTCP, HealthGRPC}

// Defaults and bounds of a health check.
const (
	DefaultHealthCheckType    = HealthHTTP
	DefaultHealthInterval     = Duration(10 * time.Second)
	MinHealthInterval         = Duration(100 * time.Millisecond)
	MaxHealthInterval         = Duration(time.Hour)
	DefaultHealthTimeout      = Duration(2 * time.Second)
	MinHealthTimeout          = Duration(10 * time.Millisecond)
	DefaultHealthyThreshold   = 2
	DefaultUnhealthyThreshold = 3
	MaxHealthThreshold        = 100
	DefaultHealthPath         = "/"
	DefaultExpectedStatuses   = "200-399"
	MaxHealthServiceLength    = 255
)

// HealthCheck is how a pool learns which members can serve.
type HealthCheck struct {
	Type HealthCheckType `json:"type"`
	// Interval is the time between probes of a member, Timeout how long one may
	// take: at most the interval.
	Interval Duration `json:"interval"`
	Timeout  Duration `json:"timeout"`
	// The thresholds are probes in a row that turn a member healthy or unhealthy.
	HealthyThreshold   int `json:"healthy_threshold"`
	UnhealthyThreshold int `json:"unhealthy_threshold"`
	// Path, Host and ExpectedStatuses are of http probes. Host empty: the member's.
	Path string `json:"path"`
	Host string `json:"host"`
	// Service is what grpc probes ask about; empty: the server as a whole.
	Service string `json:"service"`
	// ExpectedStatuses are the statuses of a probe that succeeded, as
	// [ParseStatusRange] reads them.
	ExpectedStatuses []string `json:"expected_statuses"`
}

// NewHealthCheck returns a health check with every default set.
func NewHealthCheck() HealthCheck {
	return HealthCheck{
		Type:               DefaultHealthCheckType,
		Interval:           DefaultHealthInterval,
		Timeout:            DefaultHealthTimeout,
		HealthyThreshold:   DefaultHealthyThreshold,
		UnhealthyThreshold: DefaultUnhealthyThreshold,
		Path:               DefaultHealthPath,
		ExpectedStatuses:   []string{DefaultExpectedStatuses},
	}
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (h *HealthCheck) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain HealthCheck
	return decodeOver(dec, (*plain)(h), plain(NewHealthCheck()))
}

func (h *HealthCheck) validate(c checker) {
	oneOf(c.at("type"), h.Type, HealthCheckTypes)
	c.at("interval").durationIn(h.Interval, MinHealthInterval, MaxHealthInterval)
	c.at("timeout").durationIn(h.Timeout, MinHealthTimeout, h.Interval)
	c.at("healthy_threshold").intIn(h.HealthyThreshold, 1, MaxHealthThreshold)
	c.at("unhealthy_threshold").intIn(h.UnhealthyThreshold, 1, MaxHealthThreshold)
	c.at("path").try(checkPath(h.Path))
	if h.Host != "" {
		c.at("host").try(checkHost(h.Host))
	}
	if h.Service != "" && h.Type != HealthGRPC {
		c.at("service").fail("is only for health checks of type %s", HealthGRPC)
	}
	c.at("service").try(checkText(h.Service, MaxHealthServiceLength))
	statuses := c.at("expected_statuses")
	if len(h.ExpectedStatuses) == 0 {
		statuses.fail("must name at least one status or range")
	}
	for i, s := range h.ExpectedStatuses {
		if _, err := ParseStatusRange(s); err != nil {
			statuses.index(i).fail("%v", err)
		}
	}
}

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct{ Low, High int }

// Contains reports whether the status lies in the range.
func (r StatusRange) Contains(status int) bool { return r.Low <= status && status <= r.High }

var statusRangePattern = regexp.MustCompile(`^([1-5]\d\d)(?:-([1-5]\d\d))?$`)

// ParseStatusRange reads "204" or "200-399".
func ParseStatusRange(s string) (StatusRange, error) {
	m := statusRangePattern.FindStringSubmatch(s)
	if m == nil {
		return StatusRange{}, fmt.Errorf("%s must be a status such as 204 or a range such as 200-399", shown(s))
	}
	low, _ := strconv.Atoi(m[1])
	high := low
	if m[2] != "" {
		high, _ = strconv.Atoi(m[2])
	}
	if high < low {
		return StatusRange{}, fmt.Errorf("%s ends before it begins", shown(s))
	}
	return StatusRange{low, high}, nil
}
