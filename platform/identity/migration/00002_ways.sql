-- +goose Up
-- Ways to sign in that stand on secrets of ours. Of each only a hash is kept.
CREATE TABLE people_mail (
	browser BLOB PRIMARY KEY,      -- hash of the pre-login id that asked
	email   TEXT NOT NULL,
	code    BLOB NOT NULL,         -- under the key: six digits are soon guessed
	link    BLOB NOT NULL,
	tries   INTEGER NOT NULL,
	ends    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX people_mail_ends ON people_mail (ends);

CREATE TABLE people_attempt (
	key   BLOB PRIMARY KEY,        -- of an account or a prefix of addresses, under the key
	count INTEGER NOT NULL,
	ends  INTEGER NOT NULL         -- counted anew from then on, and kept until then
) STRICT, WITHOUT ROWID;
CREATE INDEX people_attempt_ends ON people_attempt (ends);

CREATE TABLE people_invite (
	id      TEXT PRIMARY KEY,
	hash    BLOB NOT NULL UNIQUE,
	author  TEXT NOT NULL,         -- who invites
	email   TEXT NOT NULL,         -- whom; empty: whoever has it
	note    TEXT NOT NULL,
	uses    INTEGER NOT NULL,
	used    INTEGER NOT NULL DEFAULT 0,
	created INTEGER NOT NULL,
	ends    INTEGER NOT NULL
) STRICT;

CREATE TABLE people_token (
	id        TEXT PRIMARY KEY,
	hash      BLOB NOT NULL UNIQUE,
	person    TEXT NOT NULL REFERENCES people_person ON DELETE CASCADE,
	name      TEXT NOT NULL,
	scopes    TEXT NOT NULL,       -- words
	created   INTEGER NOT NULL,
	ends      INTEGER NOT NULL,
	used      INTEGER NOT NULL DEFAULT 0,
	used_from TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX people_token_person ON people_token (person);

CREATE TABLE people_device (
	hash   BLOB PRIMARY KEY,       -- of what the device asks with
	code   BLOB NOT NULL UNIQUE,   -- of what a person types, under the key
	name   TEXT NOT NULL,
	scopes TEXT NOT NULL,
	person TEXT REFERENCES people_person ON DELETE CASCADE, -- who answered; NULL: nobody yet
	granted INTEGER NOT NULL DEFAULT 0,
	ends   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX people_device_ends ON people_device (ends);
CREATE INDEX people_device_person ON people_device (person);
