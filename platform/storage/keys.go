package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Keys is one bucket of keys, as one user has it or as the app has it. What was
// put is read by whoever asks next.
type Keys struct{ view }

// Keys returns a bucket. That its name cannot be one is told by its methods.
func (a *App) Keys(bucket string) *Keys { return &Keys{a.view("keys", bucket)} }

// User returns the bucket of one user: the same methods, other keys. Neither the
// app's own keys nor those of other users can be addressed through it.
func (k *Keys) User(id string) *Keys { return &Keys{k.user(id)} }

// Value is what a key stands for: bytes, and whether they were put as text.
type Value struct {
	Data []byte
	Text bool
}

// Entry is a key with what is known of it.
type Entry struct {
	Key string
	Value
	Meta    json.RawMessage // nil if there is none
	Expires time.Time       // zero if it does not
	Version int64           // higher than that of whatever the bucket held before
}

// PutOptions say more of what is put.
type PutOptions struct {
	TTL     time.Duration   // how long it is kept, at least a second; 0 for ever
	Expires time.Time       // or until when
	Meta    json.RawMessage // JSON of at most 1 KiB, that List returns too
}

// Get returns what a key stands for, and whether it is there.
func (k *Keys) Get(ctx context.Context, key string) (Entry, bool, error) {
	all, err := k.GetMany(ctx, key)
	e, ok := all[key]
	return e, ok, err
}

// GetMany returns those of up to 1000 keys that are there, as they were at one
// moment. More than 8 MiB of values are refused with Exhausted.
func (k *Keys) GetMany(ctx context.Context, keys ...string) (map[string]Entry, error) {
	if len(keys) > maxPage {
		return nil, fault.New(fault.Invalid, "%d keys at once, %d are the most", len(keys), maxPage)
	}
	store, err := k.ready(ctx, keys...)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Entry, len(keys))
	read := k.db.Read
	if len(keys) <= keysAtOnce {
		read = k.db.ReadOne
	}
	err = read(ctx, func(tx *sqlite.Tx) error {
		clear(found)
		size := 0
		for some := range slices.Chunk(keys, keysAtOnce) {
			if err := k.loadMany(tx, store, some, found, &size); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// keysAtOnce is how many keys one statement looks for: 100 keys cost 0.4 ms so, and 1.3
// with a statement for each.
const keysAtOnce = 50

func (k *Keys) loadMany(tx *sqlite.Tx, store int64, keys []string, found map[string]Entry, size *int) error {
	args := []any{store, k.owner, now()}
	for _, key := range keys {
		args = append(args, []byte(key))
	}
	marks := strings.Repeat(", ?", len(keys))
	if len(keys) > 1 { // the same statement for any number of them
		marks = strings.Repeat(", ?", keysAtOnce)
		args = append(args, make([]any, keysAtOnce-len(keys))...)
	}
	rows, err := tx.Query(`SELECT key, value, text, meta, expires, version FROM fazt_key
		WHERE store = ? AND owner = ? AND (expires IS NULL OR expires > ?) AND key IN (`+marks[2:]+`)`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e Entry
		var key []byte
		var expires sql.NullInt64
		if err := rows.Scan(&key, &e.Data, &e.Text, (*[]byte)(&e.Meta), &expires, &e.Version); err != nil {
			return err
		}
		if e.Key = string(key); expires.Valid {
			e.Expires = fromMillis(expires.Int64)
		}
		if *size += len(e.Data); *size > maxAnswer {
			return fault.New(fault.Exhausted, "the values have more than %d bytes", maxAnswer).WithHint("ask for fewer keys at once")
		}
		found[e.Key] = e
	}
	return rows.Err()
}

// Put sets a key, and returns the version it has now.
func (k *Keys) Put(ctx context.Context, key string, v Value, o PutOptions) (version int64, err error) {
	e, err := o.entry(v)
	if err != nil {
		return 0, err
	}
	store, err := k.ready(ctx, key)
	if err != nil {
		return 0, err
	}
	err = k.db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := k.sweepKeys(tx); err != nil {
			return err
		}
		version, err = k.countKey(tx, store, key, e)
		if err == nil {
			err = k.write(tx, store, key, e, version)
		}
		return err
	})
	return version, err
}

// countKey is count for a key that becomes e whatever it was: its row is not read.
func (k *Keys) countKey(tx *sqlite.Tx, store int64, key string, e Entry) (version int64, err error) {
	const was = `(SELECT length(key) + length(value) + ifnull(length(meta), 0) FROM fazt_key WHERE store = ?1 AND owner = ?2 AND key = ?3)`
	size := e.size(key)
	var held, all, old int64
	err = tx.QueryRow(`UPDATE fazt_store SET items = items + (`+was+` IS NULL), bytes = bytes + ?4 - ifnull(`+was+`, 0), version = version + 1
		WHERE id = ?1 RETURNING version, bytes, (SELECT sum(bytes) FROM fazt_store), ifnull(`+was+`, 0)`,
		store, k.owner, []byte(key), size).Scan(&version, &held, &all, &old)
	if err != nil {
		return 0, err
	}
	return version, k.fits(size-old, held, all, 0)
}

// size is what a key counts for.
func (e Entry) size(key string) int64 { return int64(len(key) + len(e.Data) + len(e.Meta)) }

// PutIfVersion sets a key only if its version is the given one; 0 stands for a key
// that is not there. The error's kind is Conflict if it is another.
func (k *Keys) PutIfVersion(ctx context.Context, key string, v Value, version int64, o PutOptions) (now int64, err error) {
	return k.change(ctx, key, func(old Entry, _ bool) (Entry, error) {
		if old.Version != version {
			return Entry{}, fault.New(fault.Conflict, "key %q has version %d, not %d", key, old.Version, version).
				WithHint("get it again, and decide anew")
		}
		return o.entry(v)
	})
}

// maxCount is the largest whole number that a script has exactly.
const maxCount = 1<<53 - 1

// Incr adds to a key that holds an integer as text, and returns the sum. A key that
// is not there counts as 0; only then the options take effect. The error's kind
// is Invalid if there is no integer, or the sum is none that a script has as a number.
func (k *Keys) Incr(ctx context.Context, key string, by int64, o PutOptions) (sum int64, err error) {
	_, err = k.change(ctx, key, func(old Entry, there bool) (e Entry, err error) {
		if e, sum = old, 0; !there {
			e, err = o.entry(Value{})
		} else if sum, err = strconv.ParseInt(string(old.Data), 10, 64); err != nil {
			err = fault.New(fault.Invalid, "the value of key %q is no whole number", key).WithHint("incr adds to a key that holds digits, or is not there")
		}
		if err != nil {
			return e, err
		}
		if sum > maxCount || sum < -maxCount || by > maxCount-sum || by < -maxCount-sum {
			return e, fault.New(fault.Invalid, "key %q would leave the whole numbers up to %d", key, int64(maxCount)).
				WithHint("beyond it numbers of JavaScript are not exact")
		}
		sum += by
		e.Value = Value{Data: strconv.AppendInt(nil, sum, 10), Text: true}
		return e, nil
	})
	return sum, err
}

// Delete removes up to 1000 keys in one transaction, and returns how many of them
// were there.
func (k *Keys) Delete(ctx context.Context, keys ...string) (deleted int, err error) {
	if len(keys) > maxPage {
		return 0, fault.New(fault.Invalid, "%d keys at once, %d are the most", len(keys), maxPage)
	}
	store, err := k.ready(ctx, keys...)
	if err != nil {
		return 0, err
	}
	err = k.db.Write(ctx, func(tx *sqlite.Tx) error {
		deleted = 0
		var rows, bytes int64
		for _, key := range keys {
			old, err := k.load(tx, store, key)
			if err != nil {
				return err
			}
			if old.id == 0 {
				continue
			}
			if _, err := tx.Exec(`DELETE FROM fazt_key WHERE id = ?`, old.id); err != nil {
				return err
			}
			rows, bytes = rows+1, bytes+old.size
			if old.live {
				deleted++
			}
		}
		if rows == 0 {
			return nil
		}
		_, err := k.count(tx, store, -rows, -bytes, 0)
		return err
	})
	return deleted, err
}

func (o PutOptions) entry(v Value) (Entry, error) {
	e := Entry{Value: v, Meta: o.Meta}
	switch at := time.Now(); {
	case o.TTL != 0 && !o.Expires.IsZero():
		return e, fault.New(fault.Invalid, "both a time to live and an expiration")
	case o.TTL != 0 && o.TTL < time.Second:
		return e, fault.New(fault.Invalid, "a time to live of %s, a second is the least", o.TTL)
	case o.TTL != 0:
		e.Expires = at.Add(o.TTL)
	case !o.Expires.IsZero() && !o.Expires.After(at):
		return e, fault.New(fault.Invalid, "the expiration has passed")
	default:
		e.Expires = o.Expires
	}
	if len(v.Data) > maxValue {
		return e, fault.New(fault.Invalid, "the value has %d bytes, %d are the most", len(v.Data), maxValue).
			WithHint("keep it as a file")
	}
	if o.Meta == nil {
		return e, nil
	}
	return e, checkJSON("the metadata", o.Meta, maxMeta)
}

// ready checks the keys and returns the row of the bucket.
func (k *Keys) ready(ctx context.Context, keys ...string) (store int64, err error) {
	for _, key := range keys {
		if err := checkKey(key, maxKey); err != nil {
			return 0, err
		}
	}
	return k.store(ctx)
}

// keyRow is a row, live or expired.
type keyRow struct {
	Entry
	id, size int64 // id 0: there is no row
	live     bool
}

// load reads a key. Of an expired one only the row is left.
func (k *Keys) load(tx *sqlite.Tx, store int64, key string) (r keyRow, err error) {
	var expires sql.NullInt64
	err = tx.QueryRow(`SELECT id, value, text, meta, expires, version FROM fazt_key WHERE store = ? AND owner = ? AND key = ?`,
		store, k.owner, []byte(key)).Scan(&r.id, &r.Data, &r.Text, (*[]byte)(&r.Meta), &expires, &r.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return keyRow{}, nil
	}
	r.Key, r.size = key, int64(len(key)+len(r.Data)+len(r.Meta))
	if r.live = !expires.Valid || expires.Int64 > now(); !r.live {
		r.Entry = Entry{Key: key}
	} else if expires.Valid {
		r.Expires = fromMillis(expires.Int64)
	}
	return r, err
}

// change replaces what a key stands for by what decide makes of it.
func (k *Keys) change(ctx context.Context, key string, decide func(old Entry, there bool) (Entry, error)) (version int64, err error) {
	store, err := k.ready(ctx, key)
	if err != nil {
		return 0, err
	}
	err = k.db.Write(ctx, func(tx *sqlite.Tx) error {
		if err := k.sweepKeys(tx); err != nil {
			return err
		}
		old, err := k.load(tx, store, key)
		if err != nil {
			return err
		}
		e, err := decide(old.Entry, old.live)
		if err != nil {
			return err
		}
		version, err = k.save(tx, store, key, old, e)
		return err
	})
	return version, err
}

func (k *Keys) save(tx *sqlite.Tx, store int64, key string, old keyRow, e Entry) (version int64, err error) {
	more := int64(1)
	if old.id != 0 {
		more = 0
	}
	if version, err = k.count(tx, store, more, e.size(key)-old.size, 0); err != nil {
		return 0, err
	}
	return version, k.write(tx, store, key, e, version)
}

// write puts a key's row in the place of the one there is.
func (k *Keys) write(tx *sqlite.Tx, store int64, key string, e Entry, version int64) error {
	if e.Data == nil {
		e.Data = []byte{} // nil would be NULL
	}
	var expires any
	if !e.Expires.IsZero() {
		expires = millis(e.Expires)
	}
	_, err := tx.Exec(`INSERT INTO fazt_key (store, owner, key, value, text, meta, expires, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (store, owner, key) DO UPDATE SET value = excluded.value, text = excluded.text,
			meta = excluded.meta, expires = excluded.expires, version = excluded.version`,
		store, k.owner, []byte(key), e.Data, e.Text, []byte(e.Meta), expires, version)
	return err
}
