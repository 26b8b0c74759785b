-- +goose Up
-- What a row said when it was written, so that a changed byte shows. NULL: it
-- was written before there were sums.
ALTER TABLE object ADD COLUMN sum BLOB;
ALTER TABLE kept ADD COLUMN sum BLOB;
ALTER TABLE trash ADD COLUMN sum BLOB;
