package spec

import (
	"cmp"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// unit is a word after a number and what it multiplies with.
type unit struct {
	name string
	of   int64
}

// sizeUnits are the units of sizes, the largest first.
func sizeUnits() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
	}
}

// durationUnits are the units that lengths of time are written in, in
// milliseconds, the largest first.
func durationUnits() []unit {
	return []unit{{"d", 86_400_000}, {"h", 3_600_000}, {"m", 60_000}, {"s", 1000}, {"ms", 1}}
}

// inUnits writes an amount as a whole number of the largest unit that has one.
func inUnits(n int64, units []unit) string {
	for _, u := range units {
		if n != 0 && n%u.of == 0 {
			return strconv.FormatInt(n/u.of, 10) + u.name
		}
	}
	return ""
}

// ParseSize reads a size as it is written in the language: "512KiB", "10MB",
// "1024". The result is in bytes.
func ParseSize(s string) (int64, error) {
	size, err := parseSize(s)
	if err != nil {
		return 0, err
	}
	n, exact := size.Int64()
	if exact != big.Exact {
		return 0, errSize()
	}
	return n, nil
}

func parseSize(s string) (*big.Float, error) {
	digits := strings.TrimRight(s, "BKMGTi")
	n, err := strconv.ParseUint(digits, 10, 62)
	factor, ok := sizeUnit(strings.TrimPrefix(s, digits))
	if err != nil || !ok {
		return nil, errSize()
	}
	return new(big.Float).Mul(new(big.Float).SetUint64(n), new(big.Float).SetInt64(factor)), nil
}

func errSize() error {
	return errors.New(`a size is a whole number and a unit, such as "512KiB" or "5GiB"`)
}

// sizeUnit is what a unit multiplies with. No unit means bytes.
func sizeUnit(name string) (int64, bool) {
	for _, u := range sizeUnits() {
		if name == u.name {
			return u.of, true
		}
	}
	return 1, name == ""
}

// FormatSize writes bytes as the language does, without loss.
func FormatSize(n int64) string {
	if n == 0 {
		return "0B"
	}
	return inUnits(n, sizeUnits())
}

// ParseDuration reads a length of time as it is written in the language: what
// time.ParseDuration reads, and whole days and weeks.
func ParseDuration(s string) (time.Duration, error) {
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if s != "" && unit[s[len(s)-1]] > 0 {
		if n, err := strconv.ParseUint(s[:len(s)-1], 10, 16); err == nil {
			return time.Duration(n) * unit[s[len(s)-1]], nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || s == "0" {
		return 0, errDuration()
	}
	return d, nil
}

func errDuration() error {
	return errors.New(`a duration is a number and a unit, such as "30s", "1h30m" or "7d"`)
}

// FormatDuration writes a length of time of whole milliseconds as the language
// does, without loss.
func FormatDuration(d time.Duration) string {
	if d < time.Millisecond {
		return "0s"
	}
	return inUnits(d.Milliseconds(), durationUnits())
}

// amountOf is a value as its type counts it: bytes of a size, milliseconds of a
// duration, the number itself of a decimal. False where it is none.
func amountOf(t Type, v cty.Value) (any, bool) {
	if t != TypeDecimal && v.Type() == cty.String {
		return writtenAmount(t, v.AsString())
	}
	c, err := convert.Convert(v, cty.Number)
	if err != nil || c.IsNull() {
		return nil, false
	}
	n := c.AsBigFloat()
	if t == TypeDecimal {
		f, _ := n.Float64()
		return f, true
	}
	if t == TypeDuration {
		n = new(big.Float).Mul(n, big.NewFloat(1000))
	}
	whole, exact := n.Int64()
	return whole, exact == big.Exact
}

func writtenAmount(t Type, s string) (any, bool) {
	if t == TypeDuration {
		d, err := ParseDuration(s)
		return d.Milliseconds(), err == nil && d%time.Millisecond == 0
	}
	n, err := ParseSize(s)
	return n, err == nil
}

func decodeAmount(row Attribute, v cty.Value, p *spot, r *reporter) (any, bool) {
	n, ok := amountOf(row.Type, v)
	if !ok {
		return nil, refuse(row, v, p, r)
	}
	return n, true
}

// allows tells whether a decoded value is within the row's bounds.
func (a Attribute) allows(value any) bool {
	return a.bounds() == "" || value == nil || a.compare(value, a.Min) >= 0 && a.compare(value, a.Max) <= 0
}

// compare orders a decoded value and a bound, which is written as the row's
// type is.
func (a Attribute) compare(value any, bound string) int {
	if n, ok := value.(int64); ok {
		t := a.Type
		if t == TypeNumber {
			t = TypeSize // a number without a unit
		}
		limit, _ := writtenAmount(t, bound)
		return cmp.Compare(n, limit.(int64))
	}
	limit, _ := strconv.ParseFloat(bound, 64)
	f, _ := value.(float64)
	return cmp.Compare(f, limit)
}

// bounds are the values that the row allows, in words; empty where it allows
// all.
func (a Attribute) bounds() string {
	if a.Min == "" || a.Max == "" {
		return ""
	}
	return a.Min + " to " + a.Max
}

// burstOf is how many may come at once where only the rate is set.
func burstOf(rate float64) int { return max(1, int(math.Ceil(2*rate))) }
