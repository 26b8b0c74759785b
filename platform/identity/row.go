package identity

import (
	"database/sql"
	"strings"
)

// changed is how many rows a statement changed.
func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// one makes an error of a statement that found no such person.
func one(person string) func(sql.Result, error) error {
	return func(r sql.Result, err error) error {
		if n, err := changed(r, err); err != nil || n > 0 {
			return err
		}
		return missing(person)
	}
}

// clip keeps a text that strangers send short.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}
