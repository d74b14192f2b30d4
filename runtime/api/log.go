package api

import "time"

// Log answers GET /v1/log: what it takes to check the change log from outside.
type Log struct {
	// Origin is the log's name in its checkpoints.
	Origin string `json:"origin"`
	// PublicKey checks them: a key in the form of C2SP signed-note. Take it from a
	// place that you trust; this one is only the log's own word.
	PublicKey string `json:"public_key"`
	// Size and Root are those of Checkpoint, the newest: a C2SP tlog-checkpoint.
	Size       int64  `json:"size"`
	Root       string `json:"root"`
	Checkpoint string `json:"checkpoint"`
	// Cosigned is the newest checkpoint that enough witnesses have cosigned.
	Cosigned string `json:"cosigned,omitzero"`
	// Witnesses are those that the log's witness policy names. WitnessAlarm is true
	// while one of them says that the log was rewritten or rolled back.
	Witnesses    []LogWitness `json:"witnesses,omitzero"`
	WitnessAlarm bool         `json:"witness_alarm,omitzero"`
	// Rotations are proofs of the entries by which the log changed its key, in the
	// form of C2SP tlog-proof, oldest first: each checkpoint is signed by both keys.
	Rotations []string `json:"rotations,omitzero"`
	// Restarts are the times when the log went on under another origin, because
	// entries were lost, oldest first.
	Restarts []LogRestart `json:"restarts,omitzero"`
}

// LogWitness is how things stand with a witness of the log, since the start.
type LogWitness struct {
	Name string `json:"name"`
	URL  string `json:"url,omitzero"`
	// Size is that of the checkpoint that it cosigned last, and CosignedAt when.
	Size       int64     `json:"size,omitzero"`
	CosignedAt time.Time `json:"cosigned_at,omitzero"`
	// Result is what became of the last try; left out before the first. Detail says it
	// in a sentence, when it failed.
	Result string `json:"result,omitzero"`
	Detail string `json:"detail,omitzero"`
	// Alarm is what it said when it said that the log was rewritten or rolled back, until it
	// signs again.
	Alarm string `json:"alarm,omitzero"`
}

// LogRestart is an entry by which a log went on under another origin.
type LogRestart struct {
	Seq       int64     `json:"seq"`
	Time      time.Time `json:"time"`
	Actor     string    `json:"actor"`
	Origin    string    `json:"origin"`
	PublicKey string    `json:"public_key"`
	// PreviousOrigin is the name until then, and PreviousCheckpoint what it goes on from.
	PreviousOrigin     string `json:"previous_origin"`
	PreviousCheckpoint string `json:"previous_checkpoint"`
	// LostCheckpoint is the newest checkpoint that is known of what was lost.
	LostCheckpoint string `json:"lost_checkpoint,omitzero"`
	Reason         string `json:"reason"`
}

// EntryEvidence is an entry byte for byte, for those who check it.
type EntryEvidence struct {
	// Leaf is the canonical header: what the leaf hash is made of.
	Leaf string `json:"leaf"`
	// Salt, in hex, and Body are what the header commits to, with SHA-256(salt ‖ body).
	// They are left out where the body was erased.
	Salt string `json:"salt,omitzero"`
	Body string `json:"body,omitzero"`
}

// EntryProof is a proof of an entry, as programs are given it.
type EntryProof struct {
	Seq int64 `json:"seq"`
	// Proof is a C2SP tlog-proof.
	Proof string `json:"proof"`
}
