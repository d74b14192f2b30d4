// Package witness has a log's checkpoints cosigned by witnesses, and is a witness for
// the checkpoints of others (C2SP tlog-witness, tlog-cosignature, tlog-policy).
//
// A witness remembers the latest checkpoint of a log that it has seen, and signs a newer
// one only when it is proved to extend that: the log can neither rewrite what was
// cosigned, nor go back behind it, nor show different histories to different people,
// even if whoever tries has the log's key.
//
// A [Policy] says which witnesses there are and how many of them it takes. A [Collector]
// brings each new checkpoint of a log to them, keeps what they sign beside it, and tells of
// a witness that says the log was rewritten or rolled back. A [Server] is a witness.
//
// Neither end trusts the other. Requests and answers are bounded in size and time. A
// cosignature counts only when it verifies, under the witness's own key, over the very
// checkpoint that was sent. And a witness's word that the log is wrong is an alarm for
// people, nothing that would stop changes or traffic: a witness could lie.
package witness
