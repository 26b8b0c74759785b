-- +goose Up
-- What people have besides the account they sign in with.
CREATE TABLE people_totp (
	person  TEXT PRIMARY KEY REFERENCES people_person ON DELETE CASCADE,
	secret  BLOB,                       -- sealed; NULL: none confirmed yet
	pending BLOB,                       -- sealed; counts when a code of it was shown
	step    INTEGER NOT NULL DEFAULT 0  -- the newest span of 30 s whose code was used
) STRICT, WITHOUT ROWID;

CREATE TABLE people_recovery (
	person TEXT NOT NULL REFERENCES people_person ON DELETE CASCADE,
	hash   BLOB NOT NULL,               -- under the key
	PRIMARY KEY (person, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE people_passkey (
	id      BLOB PRIMARY KEY,           -- of the credential, made by the authenticator
	person  TEXT NOT NULL REFERENCES people_person ON DELETE CASCADE,
	name    TEXT NOT NULL,
	data    BLOB NOT NULL,              -- the gate's; public key and flags, no secret
	counter INTEGER NOT NULL,
	created INTEGER NOT NULL,
	used    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX people_passkey_person ON people_passkey (person);
