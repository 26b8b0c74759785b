package edge

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// accessLog collects a line of JSON for each request and writes them in one
// go. A request only copies its line under a lock; a slow disk costs lines,
// which are counted, and never makes a visitor wait.
type accessLog struct {
	out   io.Writer
	ready chan struct{} // room for one: there is much to write

	mu      sync.Mutex
	lines   []byte // guarded by mu: not yet being written
	dropped int    // guarded by mu: since the last write
}

const (
	accessFlush = 64 << 10 // bytes that are worth a write at once
	accessMost  = 1 << 20  // bytes waiting, beyond which lines are dropped
	accessEvery = time.Second
	accessField = 256 // bytes of a field a client chose freely
)

func newAccessLog(out io.Writer) *accessLog {
	return &accessLog{out: out, ready: make(chan struct{}, 1)}
}

// record adds the line of a finished request.
func (l *accessLog) record(x *exchange, r *http.Request) {
	x.scratch = accessLine(x.scratch[:0], x, r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines)+len(x.scratch) > accessMost {
		l.dropped++
		return
	}
	l.lines = append(l.lines, x.scratch...)
	if len(l.lines) >= accessFlush {
		select {
		case l.ready <- struct{}{}:
		default:
		}
	}
}

// run writes lines until ctx ends, and then what is left.
func (l *accessLog) run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(accessEvery)
	defer tick.Stop()
	var spare []byte
	for {
		ended := false
		select {
		case <-l.ready:
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		spare = l.flush(spare, log)
		if ended {
			return
		}
	}
}

// flush swaps the buffers and writes the full one.
func (l *accessLog) flush(spare []byte, log *slog.Logger) []byte {
	l.mu.Lock()
	lines, dropped := l.lines, l.dropped
	l.lines, l.dropped = spare[:0], 0
	l.mu.Unlock()
	if dropped > 0 {
		log.Warn("access log lines dropped", "component", "edge", "lines", dropped)
	}
	if len(lines) == 0 {
		return lines
	}
	if _, err := l.out.Write(lines); err != nil {
		log.Warn("access log not written", "component", "edge", "error", err)
	}
	return lines
}

// accessLine appends one request. The query is left out: it may hold what
// only the app should see.
func accessLine(b []byte, x *exchange, r *http.Request) []byte {
	b = append(b, `{"time":"`...)
	b = x.start.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","client":"`...)
	if x.client.IsValid() {
		b = x.client.AppendTo(b)
	}
	b = append(b, '"')
	b = appendField(b, "method", r.Method)
	b = appendField(b, "host", r.Host)
	b = appendField(b, "path", r.URL.Path)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(x.status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, x.bytes, 10)
	b = append(b, `,"us":`...)
	b = strconv.AppendInt(b, time.Since(x.start).Microseconds(), 10)
	if x.site != nil {
		b = appendField(b, "app", string(x.site.addr))
	}
	b = appendField(b, "revision", x.revision[0])
	b = appendField(b, "agent", r.UserAgent())
	b = appendField(b, "ref", x.ref)
	return append(b, "}\n"...)
}

// appendField appends a member, or nothing where the value is empty.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":"`...)
	b = appendText(b, value[:min(len(value), accessField)])
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"

// appendEscape writes a character as JSON's escape: one that a terminal would obey
// or that turns the order of text, when somebody reads the log there.
func appendEscape(b []byte, r rune) []byte {
	units, buf := utf16.AppendRune(nil, r), append(b, '\\', 'u')
	for i, u := range units {
		if i > 0 {
			buf = append(buf, '\\', 'u')
		}
		buf = append(buf, hexDigits[u>>12], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
	}
	return buf
}

// appendText escapes what a client sent for a JSON string; what is not UTF-8
// becomes the replacement character.
func appendText(b []byte, text string) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			if unicode.IsPrint(r) {
				b = utf8.AppendRune(b, r)
			} else {
				b = appendEscape(b, r)
			}
			i += size
			continue
		}
		i++
	}
	return b
}
