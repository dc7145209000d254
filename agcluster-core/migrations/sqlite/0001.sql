-- Sessions have an integer key, because every event carries it. A key is never given twice while rows of it are left.
CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL
) STRICT;

-- The ends of each session's events, apart from the wide rows above since every commit writes them.
CREATE TABLE heads (
    session INTEGER PRIMARY KEY REFERENCES sessions (key) ON DELETE CASCADE,
    earliest INTEGER NOT NULL,
    head INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    source_place INTEGER,
    source_generation INTEGER,
    source_seq INTEGER
) STRICT;

-- Times are microseconds since 1970. No foreign key: the events of a removed session go later, see `discarded`. The body
-- comes last, so that what precedes it is read without it.
CREATE TABLE events (
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    source_seq INTEGER,
    body BLOB NOT NULL,
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;

-- Keys of removed sessions whose events are still to be deleted.
CREATE TABLE discarded (
    session INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE turns (
    id BLOB NOT NULL PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    open INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX turns_of_session ON turns (session, id);
CREATE INDEX turns_of_owner ON turns (owner, id);
CREATE INDEX turns_open ON turns (id) WHERE open = 1;

CREATE TABLE transcript (
    session INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    chunk TEXT NOT NULL,
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    session INTEGER NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    record TEXT NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_of_session ON idempotency (session);

CREATE TABLE configs (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

-- The digest of a row keeps it from being there twice.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX audit_of_owner ON audit (owner, number);

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
