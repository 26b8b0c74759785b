-- +goose Up
-- Who lets a device in is told from where it asks.
ALTER TABLE people_device ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE people_device ADD COLUMN started INTEGER NOT NULL DEFAULT 0;
ALTER TABLE people_device ADD COLUMN asked INTEGER NOT NULL DEFAULT 0; -- last, for its token
