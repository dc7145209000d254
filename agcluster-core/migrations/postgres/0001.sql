-- Sessions have an integer key, because every event carries it. A key is never given twice while rows of it are left.
CREATE TABLE sessions (
    key BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL
);

-- The ends of each session's events, apart from the wide rows above since every commit writes them.
CREATE TABLE heads (
    session BIGINT PRIMARY KEY REFERENCES sessions (key) ON DELETE CASCADE,
    earliest BIGINT NOT NULL,
    head BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    source_place BIGINT,
    source_generation BIGINT,
    source_seq BIGINT
);

-- Times are microseconds since 1970. No foreign key: the events of a removed session go later, see `discarded`. The body
-- comes last, so that what precedes it is read without it.
CREATE TABLE events (
    session BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    source_seq BIGINT,
    body BYTEA NOT NULL,
    PRIMARY KEY (session, seq)
);
-- Most bodies are too small to gain from compression, and it would cost the one writer its time.
ALTER TABLE events ALTER COLUMN body SET STORAGE EXTERNAL;

-- Keys of removed sessions whose events are still to be deleted.
CREATE TABLE discarded (
    session BIGINT PRIMARY KEY
);

CREATE TABLE turns (
    id BYTEA NOT NULL PRIMARY KEY,
    session BIGINT NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    open BIGINT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX turns_of_session ON turns (session, id);
CREATE INDEX turns_of_owner ON turns (owner, id);
CREATE INDEX turns_open ON turns (id) WHERE open = 1;

CREATE TABLE transcript (
    session BIGINT NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    chunk TEXT NOT NULL,
    PRIMARY KEY (session, seq)
);

CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    session BIGINT NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
    record TEXT NOT NULL,
    PRIMARY KEY (owner, key)
);
CREATE INDEX idempotency_of_session ON idempotency (session);

CREATE TABLE configs (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (owner, id)
);

-- The digest of a row keeps it from being there twice.
CREATE TABLE audit (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX audit_of_owner ON audit (owner, number);

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
