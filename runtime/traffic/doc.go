// Package traffic keeps what the data plane did, as series over time: requests, errors
// and latencies by listener and pool, connections and bytes by listener.
//
// A [Recorder] looks at the data plane's counters every ten seconds and keeps what was
// counted since the look before, with the revision that requests ran under. Everything
// is in memory: a restart begins with nothing. Looks are kept for two hours, and
// added up to minutes for a day and to ten minutes for fourteen days. What is older
// is gone, and so is what does not fit in [MaxBytes].
//
// What is kept of a look is one string of bytes with all that was counted, see
// [appendCell]: something without traffic takes no room, and what is gone from the
// configuration ages out with the looks that saw it. About 25 bytes hold ten seconds
// of a pool that serves requests, so a thousand such pools take 18 MB for two hours, 36 MB
// for a day and 50 MB for fourteen days; the oldest looks make room beyond [MaxBytes].
//
// What a listener counts between the last look and its removal is lost, as are requests
// that finish after it: they are in no series, and no series counts backwards.
package traffic
