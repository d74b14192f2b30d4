// Package sink streams the log out, as it is written: to files, to webhooks and to
// collectors of OpenTelemetry logs.
//
// A [Runner] has one stream for each sink. A stream reads the log from where it was,
// renders entries in the sink's [Format], hands them over in order, and keeps its
// position beside the log. What holds for every sink:
//
//   - Every entry arrives at least once, and in order. A position is kept only after
//     what lies before it was taken, so a crash repeats entries and leaves none out.
//   - A sink that is down is tried again for ever, with growing waits. The log is the
//     buffer, so nothing piles up in memory, and nothing is dropped.
//   - No change waits for a sink, and no sink for another. The one thing that is
//     shared is the store: a position is kept about once a second, never per entry.
//   - What a receiver refuses for good goes to the sink's dead letters, a file of lines
//     of JSON, and is on disk before the stream goes on.
//   - A log that does not fit a kept position, because it was rolled back or replaced,
//     stops the sink. It is not reset by itself: that would hide what happened.
//
// What receivers answer is hostile. Answers are bounded in size and time, redirects are
// not followed, and no text of theirs is repeated in logs, metrics or the API.
package sink
