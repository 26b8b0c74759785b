package storage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// newName returns a name for bytes, 128 random bits.
func newName() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// recoverFiles removes bytes that a crash left without a row. It costs nothing
// after an orderly close.
func (c *core) recoverFiles(ctx context.Context) error {
	f := &c.bytes
	mark := filepath.Join(f.dir, markName)
	if _, err := os.Lstat(mark); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(f.dir, tempName)); err != nil {
		return diskFault(err, "clear %q", f.dir)
	}
	shards, err := os.ReadDir(f.dir)
	if err != nil {
		return diskFault(err, "look through %q", f.dir)
	}
	for _, s := range shards {
		if !s.IsDir() || strings.HasPrefix(s.Name(), ".") {
			continue
		}
		if err := c.recoverShard(ctx, s.Name()); err != nil {
			return err
		}
	}
	return os.Remove(mark)
}

func (c *core) recoverShard(ctx context.Context, shard string) error {
	entries, err := os.ReadDir(filepath.Join(c.bytes.dir, shard))
	if err != nil {
		return diskFault(err, "look through %q", c.bytes.dir)
	}
	return c.db.Read(ctx, func(tx *sqlite.Tx) error {
		for _, e := range entries {
			var named bool
			if err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM fazt_file WHERE blob = ?1) OR EXISTS (SELECT 1 FROM fazt_part WHERE blob = ?1)`,
				shard+e.Name()).Scan(&named); err != nil {
				return err
			}
			if !named {
				os.Remove(filepath.Join(c.bytes.dir, shard, e.Name()))
			}
		}
		return nil
	})
}
