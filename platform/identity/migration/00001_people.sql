-- +goose Up
-- Times are milliseconds since 1970, spans are milliseconds.
CREATE TABLE people_person (
	id       TEXT PRIMARY KEY,
	email    TEXT UNIQUE,      -- canonical; somebody vouched for it, or it is NULL
	name     TEXT NOT NULL,
	disabled INTEGER NOT NULL DEFAULT 0,
	created  INTEGER NOT NULL,
	seen     INTEGER NOT NULL
) STRICT;

CREATE TABLE people_identity (
	issuer  TEXT NOT NULL,
	subject TEXT NOT NULL,     -- what the issuer calls the person, for ever
	person  TEXT NOT NULL REFERENCES people_person ON DELETE CASCADE,
	created INTEGER NOT NULL,
	PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX people_identity_person ON people_identity (person);

CREATE TABLE people_session (
	id       TEXT PRIMARY KEY,
	hash     BLOB NOT NULL UNIQUE, -- SHA-256 of the token
	person   TEXT NOT NULL REFERENCES people_person ON DELETE CASCADE,
	audience TEXT NOT NULL,        -- host
	parent   TEXT REFERENCES people_session ON DELETE CASCADE,
	agent    TEXT NOT NULL,
	address  TEXT NOT NULL,
	factors  TEXT NOT NULL,        -- words
	created  INTEGER NOT NULL,
	seen     INTEGER NOT NULL,     -- last use, to the minute
	idle     INTEGER NOT NULL,     -- it is over when not used for as long
	ends     INTEGER NOT NULL
) STRICT;
CREATE INDEX people_session_person ON people_session (person);
CREATE INDEX people_session_parent ON people_session (parent);
CREATE INDEX people_session_over ON people_session (min(ends, seen + idle));

CREATE TABLE people_spent (
	id   BLOB PRIMARY KEY,     -- SHA-256 of what was spent
	ends INTEGER NOT NULL      -- from then on it is refused anyway
) STRICT, WITHOUT ROWID;
CREATE INDEX people_spent_ends ON people_spent (ends);
