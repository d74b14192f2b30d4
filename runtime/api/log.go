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
	// Rotations are proofs of the entries by which the log changed its key, in the
	// form of C2SP tlog-proof, oldest first: each checkpoint is signed by both keys.
	Rotations []string `json:"rotations,omitzero"`
	// Restarts are the times when the log went on under another origin, because
	// entries were lost, oldest first.
	Restarts []LogRestart `json:"restarts,omitzero"`
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
