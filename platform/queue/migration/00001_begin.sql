-- +goose Up
CREATE TABLE fazt_job (
	id       INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
	queue    TEXT NOT NULL,
	body     BLOB NOT NULL,
	priority INTEGER NOT NULL,      -- the higher goes first
	key      TEXT,                  -- one at a time in its queue
	sent     INTEGER NOT NULL,      -- unix milliseconds, as all times here
	state    INTEGER NOT NULL,      -- 0 ready, 1 later, 2 dead
	due      INTEGER NOT NULL,      -- of later: it becomes ready then; of dead: it was given up then
	attempts INTEGER NOT NULL,      -- deliveries so far
	lease    TEXT,                  -- of later: it is being delivered, and becomes ready unless that ends
	error    TEXT NOT NULL          -- of the last attempt
) STRICT;

CREATE INDEX fazt_job_ready ON fazt_job (queue, priority DESC, id) WHERE state = 0;
CREATE INDEX fazt_job_later ON fazt_job (due) WHERE state = 1;
CREATE INDEX fazt_job_dead ON fazt_job (queue, id) WHERE state = 2;
CREATE UNIQUE INDEX fazt_job_key ON fazt_job (queue, key) WHERE key IS NOT NULL AND state < 2;

CREATE TABLE fazt_schedule (
	name   TEXT PRIMARY KEY,
	spec   TEXT NOT NULL,
	zone   TEXT NOT NULL,
	next   INTEGER NOT NULL, -- the next moment that the spec names
	asked  INTEGER NOT NULL, -- what the time was when next was found
	owed   INTEGER,          -- the moment for which a run is due or under way
	due    INTEGER NOT NULL, -- of an owed run: not before
	tries  INTEGER NOT NULL, -- of an owed run: how often it was begun
	manual INTEGER NOT NULL  -- of an owed run: a person asked for it
) STRICT, WITHOUT ROWID;

CREATE TABLE fazt_run (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	schedule TEXT NOT NULL,
	due      INTEGER NOT NULL,  -- the moment it is for
	began    INTEGER NOT NULL,
	ended    INTEGER,
	outcome  TEXT NOT NULL,     -- running, ok, failed, lost
	error    TEXT NOT NULL,
	manual   INTEGER NOT NULL,
	skipped  INTEGER NOT NULL   -- moments that passed while it was under way
) STRICT;

CREATE INDEX fazt_run_schedule ON fazt_run (schedule, id);
