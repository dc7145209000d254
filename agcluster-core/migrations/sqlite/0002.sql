-- The newest events of all sessions, in the order in which they came: one page of the log holds many of them, however many
-- sessions they are of. They go to their place in `events` later, many of a session at a time, and `heads` says how far that
-- is. Rows that it says are there, or that are of no session, count for nothing. There are two such tables: while one of them
-- is filled, the other one is settled, and then emptied at once.
CREATE TABLE recent_a (
    place INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    source_seq INTEGER,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE recent_b (
    place INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    source_seq INTEGER,
    body BLOB NOT NULL
) STRICT;
CREATE VIEW recent AS
    SELECT session, seq, at, generation, source_seq, body FROM recent_a
    UNION ALL SELECT session, seq, at, generation, source_seq, body FROM recent_b;
