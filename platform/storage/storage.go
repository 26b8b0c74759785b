// Package storage keeps what an app keeps: keys, documents, SQL tables and files,
// in one folder per app. The database data.db has the rows and what is known of
// the files, whose bytes are beside it in files/. The bindings of an app stand on
// it, and so do jobs, by App.DB. It refuses to know who asks: which app, which
// user and which binding it is comes from the caller, who must not take it from
// a request; and it knows neither HTTP nor any language.
//
// What a store holds is counted in the transaction that changes it, so a quota
// is never passed, and a count is what the rows add up to.
package storage

import (
	"context"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Options tune a pool. The zero value is right for a node.
type Options struct {
	Idle  int                         // apps kept open although nobody uses them; 0 is 64
	Halt  func(context.Context) error // as of sqlite.Options, and asked before files too
	Trace func(query string)          // as of sqlite.Options; tests count with it
}

// Settings are what an app's configuration says of its storage.
type Settings struct {
	Durability sqlite.Durability // of every write, from when the folder is opened next
	Storage    int64             // bytes the app may keep, 0 without bound; of SQL from the next opening

	halt  func(context.Context) error // as of Options
	trace func(query string)          // as of Options
}

// What one item may be, and how much one answer holds. A page ends early where
// its bytes are over maxAnswer; its cursor goes on from there.
const (
	maxName     = 128     // of a binding, a collection
	maxUser     = 256     // of a user's id
	maxKey      = 512     // of a key: Cloudflare KV's bound
	maxFileKey  = 1024    // of a file's key: R2's and S3's bound
	maxValue    = 4 << 20 // of a key's value
	maxMeta     = 1 << 10 // of metadata
	maxDocument = 1 << 20 // of a document
	maxDepth    = 64      // of JSON
	maxPage     = 1000    // items of a page
	maxAnswer   = 8 << 20 // bytes of an answer: what the engine takes
)

var (
	appID    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,79}$`) })
	bindName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$`) })
)

// checkText refuses a name that is empty, too long, no text, or that has a NUL
// in it, which some of SQLite's functions take for the end.
func checkText(what, s string, most int) error {
	switch {
	case s == "":
		return fault.New(fault.Invalid, "%s is empty", what)
	case len(s) > most:
		return fault.New(fault.Invalid, "%s has %d bytes, %d are the most", what, len(s), most)
	case !utf8.ValidString(s):
		return fault.New(fault.Invalid, "%s is not UTF-8", what)
	}
	for i := range len(s) {
		if s[i] == 0 {
			return fault.New(fault.Invalid, "%s has a NUL in it", what)
		}
	}
	return nil
}

// checkKey refuses what cannot be a key. A key may hold any character.
func checkKey(key string, most int) error {
	switch {
	case key == "":
		return fault.New(fault.Invalid, "the key is empty")
	case len(key) > most:
		return fault.New(fault.Invalid, "the key has %d bytes, %d are the most", len(key), most)
	case !utf8.ValidString(key):
		return fault.New(fault.Invalid, "the key is not UTF-8")
	}
	return nil
}

// millis is how times are kept.
func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
