-- +goose Up
-- What waits to be sent. sealed holds recipient, subject and text: codes stand in it.
CREATE TABLE mail_outbox (
	id     INTEGER PRIMARY KEY,
	sealed TEXT    NOT NULL,
	tries  INTEGER NOT NULL DEFAULT 0,
	next   INTEGER NOT NULL -- milliseconds of the epoch: not before
) STRICT;
CREATE INDEX mail_outbox_next ON mail_outbox (next);

-- How many messages were taken in a day of UTC.
CREATE TABLE mail_day (
	day   TEXT    PRIMARY KEY, -- 2026-11-27
	taken INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
