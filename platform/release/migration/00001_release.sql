-- +goose Up
CREATE TABLE generation (
	number   INTEGER PRIMARY KEY,
	revision TEXT NOT NULL,
	node     TEXT NOT NULL,
	author   TEXT NOT NULL,
	subject  TEXT NOT NULL,
	time     INTEGER NOT NULL -- nanoseconds since 1970, UTC
) STRICT;

CREATE TABLE object (
	addr     TEXT PRIMARY KEY,
	kind     TEXT NOT NULL,
	name     TEXT NOT NULL,
	revision TEXT NOT NULL,
	digest   TEXT NOT NULL,
	body     TEXT NOT NULL
) STRICT;

-- One row per app, however many files it has; apart from object, so that a new
-- setting does not write the file list again.
CREATE TABLE manifest (
	addr   TEXT PRIMARY KEY REFERENCES object (addr) ON DELETE CASCADE,
	digest BLOB NOT NULL, -- sha256 of the file list
	packed BLOB NOT NULL  -- one byte for the form, then the file list
) STRICT;

CREATE TABLE deployment (
	id         INTEGER PRIMARY KEY AUTOINCREMENT, -- shown, so never used twice
	app        TEXT NOT NULL,
	revision   TEXT NOT NULL,
	generation INTEGER NOT NULL,
	author     TEXT NOT NULL,
	subject    TEXT NOT NULL,
	"trigger"  TEXT NOT NULL,
	actor      TEXT NOT NULL,
	outcome    TEXT NOT NULL,
	time       INTEGER NOT NULL, -- nanoseconds since 1970, UTC
	duration   INTEGER NOT NULL, -- nanoseconds
	files      INTEGER NOT NULL,
	bytes      INTEGER NOT NULL,
	error      TEXT NOT NULL
) STRICT;
CREATE INDEX deployment_by_app ON deployment (app, id);
CREATE INDEX deployment_live ON deployment (app, id) WHERE outcome = 'live';
CREATE INDEX deployment_failed ON deployment (id) WHERE outcome <> 'live';

CREATE TABLE revision (
	mark     TEXT PRIMARY KEY,
	revision TEXT NOT NULL,
	time     INTEGER NOT NULL -- nanoseconds since 1970, UTC
) STRICT;
