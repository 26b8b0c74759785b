-- +goose Up

-- One row for each binding: what it holds, and the number of its last change.
CREATE TABLE fazt_store (
  id      INTEGER PRIMARY KEY,
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  items   INTEGER NOT NULL DEFAULT 0,
  bytes   INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL DEFAULT 0,
  UNIQUE (kind, name)
) STRICT;

-- Keys are bytes: they sort as bytes, and a NUL in one is a byte like others.
CREATE TABLE fazt_key (
  id      INTEGER PRIMARY KEY,
  store   INTEGER NOT NULL,
  owner   TEXT NOT NULL,
  key     BLOB NOT NULL,
  text    INTEGER NOT NULL,
  value   BLOB NOT NULL,
  meta    BLOB,
  expires INTEGER,
  version INTEGER NOT NULL,
  UNIQUE (store, owner, key)
) STRICT;
CREATE INDEX fazt_key_expires ON fazt_key (expires) WHERE expires IS NOT NULL;

CREATE TABLE fazt_file (
  id       INTEGER PRIMARY KEY,
  store    INTEGER NOT NULL,
  owner    TEXT NOT NULL,
  key      BLOB NOT NULL,
  blob     TEXT NOT NULL UNIQUE,
  size     INTEGER NOT NULL,
  etag     TEXT NOT NULL,
  type     TEXT NOT NULL,
  meta     BLOB,
  modified INTEGER NOT NULL,
  version  INTEGER NOT NULL,
  UNIQUE (store, owner, key)
) STRICT;

CREATE TABLE fazt_upload (
  id      TEXT PRIMARY KEY,
  store   INTEGER NOT NULL,
  owner   TEXT NOT NULL,
  key     BLOB NOT NULL,
  type    TEXT NOT NULL,
  meta    BLOB,
  created INTEGER NOT NULL
) STRICT;
CREATE INDEX fazt_upload_created ON fazt_upload (created);

CREATE TABLE fazt_part (
  upload TEXT NOT NULL REFERENCES fazt_upload (id),
  number INTEGER NOT NULL,
  blob   TEXT NOT NULL UNIQUE,
  size   INTEGER NOT NULL,
  etag   TEXT NOT NULL,
  PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE fazt_secret (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE fazt_sql_migration (
  version INTEGER PRIMARY KEY,
  name    TEXT NOT NULL,
  digest  TEXT NOT NULL,
  applied INTEGER NOT NULL
) STRICT;
