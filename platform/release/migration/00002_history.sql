-- +goose Up
-- File lists by their digest: what is served, what is kept to go back to and
-- what lies in the trash share equal ones.
CREATE TABLE list (
	digest BLOB PRIMARY KEY, -- sha256 of the file list
	packed BLOB NOT NULL     -- one byte for the form, then the file list
) STRICT;
INSERT OR IGNORE INTO list (digest, packed) SELECT digest, packed FROM manifest;

ALTER TABLE object ADD COLUMN list BLOB; -- digest of its file list; NULL: it has none
UPDATE object SET list = (SELECT digest FROM manifest WHERE manifest.addr = object.addr);
DROP TABLE manifest;

-- The releases that went live, to go back to.
CREATE TABLE kept (
	deployment INTEGER PRIMARY KEY,
	addr       TEXT NOT NULL,
	kind       TEXT NOT NULL,
	name       TEXT NOT NULL,
	revision   TEXT NOT NULL,
	digest     TEXT NOT NULL,
	body       TEXT NOT NULL,
	list       BLOB
) STRICT;
CREATE INDEX kept_by_addr ON kept (addr, deployment);

-- Apps out of service, until their date.
CREATE TABLE trash (
	addr     TEXT PRIMARY KEY,
	kind     TEXT NOT NULL,
	name     TEXT NOT NULL,
	revision TEXT NOT NULL, -- of its last release
	digest   TEXT NOT NULL,
	body     TEXT NOT NULL,
	list     BLOB,
	reason   TEXT NOT NULL,
	gone     TEXT NOT NULL,    -- the revision that no longer asks for it
	parked   INTEGER NOT NULL, -- nanoseconds since 1970, UTC
	until    INTEGER NOT NULL
) STRICT;

-- Somebody's words that go before the repository's.
CREATE TABLE hold (
	kind       TEXT NOT NULL,
	addr       TEXT NOT NULL, -- empty: the node
	revision   TEXT NOT NULL,
	version    TEXT NOT NULL,
	deployment INTEGER NOT NULL,
	reason     TEXT NOT NULL,
	actor      TEXT NOT NULL,
	since      INTEGER NOT NULL, -- nanoseconds since 1970, UTC
	until      INTEGER NOT NULL, -- 0: until somebody resumes
	PRIMARY KEY (kind, addr)
) STRICT;

-- Saved plans that were carried out.
CREATE TABLE spent (
	plan TEXT PRIMARY KEY,
	time INTEGER NOT NULL
) STRICT;

-- Who may write. A process that took an older token has lost the folder.
CREATE TABLE lease (
	token  INTEGER PRIMARY KEY AUTOINCREMENT,
	holder TEXT NOT NULL,
	since  INTEGER NOT NULL
) STRICT;

CREATE TABLE lineage (
	id TEXT PRIMARY KEY
) STRICT;
