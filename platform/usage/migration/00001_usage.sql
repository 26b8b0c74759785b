-- +goose Up
CREATE TABLE usage (
	app   TEXT NOT NULL,    -- address
	month TEXT NOT NULL,    -- 2026-11, UTC
	bytes INTEGER NOT NULL, -- sent to visitors
	PRIMARY KEY (app, month)
) STRICT, WITHOUT ROWID;
