-- The log in SQLite. Leaves and tree are what the signed head commits to;
-- the other columns and tables are how entries are found, and verification
-- compares them with the leaves. Tables are STRICT, so that an edit can make a
-- mismatch but not a value that can't be read.

CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID, STRICT;

-- One row: the size of the log and the checkpoint that signs it.
CREATE TABLE head (
	id   INTEGER PRIMARY KEY CHECK (id = 0),
	size INTEGER NOT NULL,
	note BLOB    NOT NULL
) STRICT;

-- What repeats over many entries.
CREATE TABLE changeset (
	id        INTEGER PRIMARY KEY,
	actor     TEXT NOT NULL,
	ticket    TEXT NOT NULL,
	run       TEXT NOT NULL,
	workspace TEXT NOT NULL,
	owner     TEXT NOT NULL,
	UNIQUE (actor, ticket, run, workspace, owner)
) STRICT;
CREATE INDEX changeset_run ON changeset (run) WHERE run <> '';
CREATE INDEX changeset_ticket ON changeset (ticket) WHERE ticket <> '';
CREATE INDEX changeset_workspace ON changeset (workspace) WHERE workspace <> '';
CREATE INDEX changeset_owner ON changeset (owner) WHERE owner <> '';

CREATE TABLE resource (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE entry (
	seq       INTEGER PRIMARY KEY,
	ts        INTEGER NOT NULL, -- microseconds since 1970, strictly increasing
	type      INTEGER NOT NULL, -- index into audit.Types
	refused   INTEGER NOT NULL,
	changeset INTEGER NOT NULL REFERENCES changeset (id),
	resource  INTEGER NOT NULL REFERENCES resource (id),
	leaf      BLOB NOT NULL,
	salt      BLOB NOT NULL,
	body      BLOB NOT NULL
) STRICT;
CREATE INDEX entry_resource ON entry (resource, seq);
CREATE INDEX entry_changeset ON entry (changeset, seq);
CREATE INDEX entry_type ON entry (type, seq);
-- Plans of a resource (audit.TypePlan is 0): every unplanned change looks for them.
CREATE INDEX entry_plan ON entry (resource, type, seq) WHERE type = 0;

-- Plans by what they would do, and drifts by what was seen.
CREATE TABLE plan (
	seq    INTEGER PRIMARY KEY REFERENCES entry (seq),
	effect TEXT NOT NULL
) STRICT;
CREATE INDEX plan_effect ON plan (effect, seq);

-- The newest entry by which a run of a workspace changed or imported an object.
CREATE TABLE managed (
	workspace TEXT    NOT NULL,
	resource  INTEGER NOT NULL REFERENCES resource (id),
	seq       INTEGER NOT NULL REFERENCES entry (seq),
	PRIMARY KEY (workspace, resource)
) WITHOUT ROWID, STRICT;
CREATE INDEX managed_resource ON managed (resource);

-- Every hash of the tree, at its place in tlog.StoredHashIndex.
CREATE TABLE hash (
	idx  INTEGER PRIMARY KEY,
	hash BLOB NOT NULL
) STRICT;

-- The fold of the log: what each resource is now. state is NULL once deleted.
CREATE TABLE current (
	resource INTEGER PRIMARY KEY REFERENCES resource (id),
	seq      INTEGER NOT NULL,
	state    BLOB
) STRICT;
CREATE INDEX current_seq ON current (seq);

-- Sealed private keys and hashes of tokens. Never in an entry.
CREATE TABLE secret (
	id     TEXT PRIMARY KEY,
	sealed BLOB NOT NULL
) WITHOUT ROWID, STRICT;

-- Idempotency keys and the entry that answered each.
CREATE TABLE answered (
	key    TEXT PRIMARY KEY,
	digest TEXT NOT NULL,
	seq    INTEGER NOT NULL,
	ts     INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX answered_ts ON answered (ts);
