package storage

import (
	"context"
	"slices"
	"strings"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Ask has a console answer a question about all that the app keeps in its
// database: its own tables, and those in which we keep its keys and documents.
func (a *App) Ask(ctx context.Context, c *sqlite.Console, q sqlite.Question) (sqlite.Answer, error) {
	q.Withheld = Withheld
	return c.Ask(ctx, a.db, q)
}

// Withheld names what of an app's database nobody is shown: the keys that it signs
// with, and what else of ours is named like a secret and not known to be none. With
// no column, it is asked of the table as a whole. The app's own tables are its data.
func Withheld(table, column string) bool {
	harmless := []string{"fazt_key.key", "fazt_file.key", "fazt_upload.key", "fazt_job.key"} // names of what is kept
	switch {
	case !strings.HasPrefix(table, reserved):
		return false
	case table == "fazt_secret":
		return true
	}
	return sqlite.SecretName(column) && !slices.Contains(harmless, table+"."+column)
}
