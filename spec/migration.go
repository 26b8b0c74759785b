package spec

import (
	"io/fs"
	"path"
	"regexp"
)

// maxMigrationRead is how long a file of statements may be to be looked at; the
// store refuses longer ones.
const maxMigrationRead = 1 << 20

// What a migration says that takes something away. The half that goes back, of a
// file in goose's form, is never run.
var (
	sqlGoingBack = regexp.MustCompile(`(?ims)^[ \t]*--[ \t]*\+goose[ \t]+Down\b.*`)
	sqlMarked    = regexp.MustCompile(`(?m)^[ \t]*--[ \t]*fazt:[ \t]*destructive[ \t]*\r?$`)
	sqlComment   = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/`)
	sqlDrop      = regexp.MustCompile(`(?is)\bdrop\s+(table|column)\b|\balter\s+table\s[^;]*?\sdrop\s`)
)

// drops tells whether a file is a migration that takes a table or a column away,
// or says that it is destructive. It reads words and not SQL: it is for a warning,
// what a migration may do is judged on a copy of the data.
func (r *contentReader) drops(f File) bool {
	if r.rules.migrations == "" || path.Dir(f.Path) != r.rules.migrations || path.Ext(f.Path) != ".sql" || f.Size > maxMigrationRead {
		return false
	}
	text, err := fs.ReadFile(r.tree, r.full(f.Path))
	if err != nil {
		return false // staging will tell
	}
	text = sqlGoingBack.ReplaceAll(text, nil)
	return sqlMarked.Match(text) || sqlDrop.Match(sqlComment.ReplaceAll(text, []byte(" ")))
}
