// Package secret seals values to the keys of nodes and people, and opens what was
// sealed to its own. An envelope is an age file in one line of text, so it lives
// in configuration that everybody may read; it holds the address it was sealed
// for, and opens for no other. The secret commands seal, the node opens in
// memory. The package refuses to know configuration and where envelopes stand. It
// is the door of age.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// hiddenText is what a Value looks like everywhere.
const hiddenText = "(secret)"

// Value is an opened secret. It never prints: whatever formats, encodes or logs
// it, or what holds it, gets "(secret)" or nothing. It cannot be compared. The
// zero Value is empty.
type Value struct {
	// A function, as reflection shows the contents of anything else.
	reveal func() string
}

// NewValue hides a text that was read from somebody.
func NewValue(text string) Value { return Value{func() string { return text }} }

// Reveal returns the text itself, for the one place that needs it.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// String hides the value.
func (Value) String() string { return hiddenText }

// GoString hides the value.
func (Value) GoString() string { return hiddenText }

// Format hides the value from every verb.
func (Value) Format(s fmt.State, _ rune) { io.WriteString(s, hiddenText) }

// MarshalText hides the value.
func (Value) MarshalText() ([]byte, error) { return []byte(hiddenText), nil }

// MarshalJSON hides the value.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenText + `"`), nil }

// UnmarshalJSON refuses: nothing that holds secrets is decoded.
func (*Value) UnmarshalJSON([]byte) error { return errors.New("a secret is not read from JSON") }

// LogValue hides the value.
func (Value) LogValue() slog.Value { return slog.StringValue(hiddenText) }
