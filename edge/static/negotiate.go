package static

import "strings"

// weights are the qualities a client gives each form, in thousandths; -1 where
// it says nothing.
type weights [forms]int

// choose picks the form of the highest quality, the smallest among equals. It
// is false if the client refuses all there are (RFC 9110, 12.5.3).
func (e *entry) choose(accept []string) (form, bool) {
	if len(accept) == 0 {
		return identity, true
	}
	w := parseAccept(accept)
	best, highest, least := identity, 0, int64(0)
	for f := range form(forms) {
		size := e.sizes[f].Load()
		if size < 0 {
			continue
		}
		if q := w.quality(f); q > highest || q > 0 && q == highest && size < least {
			best, highest, least = f, q, size
		}
	}
	return best, highest > 0
}

// quality doubles the weight, so that an identity nobody mentioned is
// acceptable but less so than anything that was asked for.
func (w *weights) quality(f form) int {
	switch {
	case w[f] >= 0:
		return w[f] * 2
	case f == identity:
		return 1
	default:
		return 0
	}
}

// parseAccept reads Accept-Encoding fields. What it cannot read counts as not
// said.
func parseAccept(fields []string) weights {
	w := weights{-1, -1, -1, -1}
	others := -1
	for _, field := range fields {
		for field != "" {
			var part string
			part, field, _ = strings.Cut(field, ",")
			name, params, _ := strings.Cut(part, ";")
			q, ok := parseQuality(params)
			if !ok {
				continue
			}
			switch name = strings.Trim(name, " \t"); {
			case name == "*":
				others = q
			case strings.EqualFold(name, "identity"):
				w[identity] = q
			case strings.EqualFold(name, "br"):
				w[brotli] = q
			case strings.EqualFold(name, "zstd"):
				w[zstd] = q
			case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
				w[gzip] = q
			}
		}
	}
	for f := range w {
		if w[f] < 0 {
			w[f] = others
		}
	}
	return w
}

// parseQuality reads ";q=0.5" in thousandths, 1000 if there is none.
func parseQuality(params string) (q int, ok bool) {
	q = 1000
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		param = strings.Trim(param, " \t")
		if len(param) < 2 || param[0]|0x20 != 'q' || param[1] != '=' {
			continue
		}
		if q, ok = parseThousandths(param[2:]); !ok {
			return 0, false
		}
	}
	return q, true
}

// parseThousandths reads 0, 1 and at most three digits after a point.
func parseThousandths(s string) (int, bool) {
	if s == "" || len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	n, unit := int(s[0]-'0')*1000, 100
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n += int(s[i]-'0') * unit
		unit /= 10
	}
	return n, n <= 1000
}
