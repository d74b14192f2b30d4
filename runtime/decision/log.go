// Package decision keeps the records of traffic: what went elsewhere than the
// configuration says, and the requests of listeners that want access records.
//
// They are lines of JSON in files that turn over by size. No request waits for the
// disk: a record is encoded into a buffer in memory that is written once a second, or
// sooner when it fills; when the disk can't keep up, records are dropped and counted.
package decision

import (
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

const (
	// FileName is the file that records are appended to; those of the past stand beside
	// it, with the time in their names.
	FileName = "traffic.jsonl"
	// maxFileMegabytes and keepFiles bound the space used.
	maxFileMegabytes, keepFiles = 64, 15

	// bufferBytes is what may wait to be written; from half of that it is written at once.
	bufferBytes = 1 << 20
	flushEvery  = time.Second
)

// Log is a file of records. It implements dataplane.Recorder and
// prometheus.Collector.
type Log struct {
	logger           *slog.Logger
	out              io.WriteCloser
	written, dropped atomic.Uint64
	full             chan struct{}
	done, stopped    chan struct{}

	mu      sync.Mutex // protects what follows
	waiting []byte
}

// Open begins to write records to a folder. The file itself is made with the first one.
func Open(dir string, logger *slog.Logger) *Log {
	return newLog(&lumberjack.Logger{
		Filename: filepath.Join(dir, FileName), MaxSize: maxFileMegabytes, MaxBackups: keepFiles,
	}, logger)
}

func newLog(out io.WriteCloser, logger *slog.Logger) *Log {
	l := &Log{
		logger: logger, out: out, waiting: make([]byte, 0, bufferBytes),
		full: make(chan struct{}, 1), done: make(chan struct{}), stopped: make(chan struct{}),
	}
	go l.run()
	return l
}

// Decision implements dataplane.Recorder.
func (l *Log) Decision(r *dataplane.Record) { l.add("decision", r) }

// Access implements dataplane.Recorder.
func (l *Log) Access(r *dataplane.Record) { l.add("access", r) }

func (l *Log) add(kind string, r *dataplane.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > bufferBytes-maxRecordBytes {
		l.dropped.Add(1)
		return
	}
	l.waiting = appendRecord(l.waiting, kind, r)
	l.written.Add(1)
	if len(l.waiting) > bufferBytes/2 {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// run writes what waits, until Close.
func (l *Log) run() {
	defer close(l.stopped)
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	spare := make([]byte, 0, bufferBytes)
	failing := false
	for last := false; !last; {
		select {
		case <-ticker.C:
		case <-l.full:
		case <-l.done:
			last = true
		}
		l.mu.Lock()
		lines := l.waiting
		l.waiting = spare[:0]
		l.mu.Unlock()
		if len(lines) > 0 {
			_, err := l.out.Write(lines)
			if err != nil && !failing {
				l.logger.Error("traffic records can't be written", "error", err)
			}
			failing = err != nil
		}
		spare = lines
	}
}

// Close writes what is left.
func (l *Log) Close() error {
	close(l.done)
	<-l.stopped
	return l.out.Close()
}

var (
	writtenDesc = prometheus.NewDesc("auditlb_traffic_records_total", "Records of traffic that were taken in.", nil, nil)
	droppedDesc = prometheus.NewDesc("auditlb_traffic_records_dropped_total", "Records of traffic that were dropped because the disk could not keep up.", nil, nil)
)

// Describe implements prometheus.Collector.
func (l *Log) Describe(ch chan<- *prometheus.Desc) { ch <- writtenDesc; ch <- droppedDesc }

// Collect implements prometheus.Collector.
func (l *Log) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(writtenDesc, prometheus.CounterValue, float64(l.written.Load()))
	ch <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(l.dropped.Load()))
}
