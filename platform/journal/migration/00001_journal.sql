-- +goose Up
CREATE TABLE journal (
	seq     INTEGER PRIMARY KEY,
	time    INTEGER NOT NULL, -- nanoseconds since 1970, UTC
	actor   TEXT NOT NULL,
	action  TEXT NOT NULL,
	target  TEXT NOT NULL,
	outcome TEXT NOT NULL,
	detail  TEXT NOT NULL,    -- JSON, or empty
	prev    TEXT NOT NULL,    -- hash of the entry before, empty for the first
	hash    TEXT NOT NULL
) STRICT;
CREATE INDEX journal_by_target ON journal (target, seq);
CREATE INDEX journal_by_action ON journal (action, seq);

-- +goose StatementBegin
CREATE TRIGGER journal_keeps_entries BEFORE DELETE ON journal BEGIN
	SELECT raise(ABORT, 'the journal is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER journal_keeps_words BEFORE UPDATE ON journal BEGIN
	SELECT raise(ABORT, 'the journal is append-only');
END;
-- +goose StatementEnd

-- INSERT OR REPLACE deletes without asking the first trigger.
-- +goose StatementBegin
CREATE TRIGGER journal_only_grows BEFORE INSERT ON journal
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM journal) BEGIN
	SELECT raise(ABORT, 'the journal is append-only');
END;
-- +goose StatementEnd
