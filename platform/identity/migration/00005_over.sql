-- +goose Up
-- What has ended stays ended, whatever the clock says later.
ALTER TABLE people_token ADD COLUMN over INTEGER NOT NULL DEFAULT 0;
ALTER TABLE people_invite ADD COLUMN over INTEGER NOT NULL DEFAULT 0;
