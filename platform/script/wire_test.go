package script_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fazt-sh/fazt/platform/script"
)

func messages() *rapid.Generator[[]script.Message] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) script.Message {
		return script.Message{
			Kind: rapid.ByteRange(1, script.LastKind).Draw(t, "kind"),
			ID:   rapid.Uint64().Draw(t, "id"), Sub: rapid.Uint64().Draw(t, "sub"), N: rapid.Uint64().Draw(t, "n"),
			Head: rapid.SliceOf(rapid.Byte()).Draw(t, "head"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
	}), 0, 5)
}

// What is written is read, message by message.
func TestWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := messages().Draw(t, "messages")
		got, err := script.Decode(script.Encode(want))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d of %d: %v", len(got), len(want), err)
		}
		for i := range want {
			g, w := got[i], want[i]
			if g.Kind != w.Kind || g.ID != w.ID || g.Sub != w.Sub || g.N != w.N || !bytes.Equal(g.Head, w.Head) || !bytes.Equal(g.Body, w.Body) {
				t.Fatalf("%+v became %+v", w, g)
			}
		}
	})
}

// A frame that was cut is refused or means less; it is never read past its end.
func TestWireCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame := script.Encode(messages().Draw(t, "messages"))
		cut := frame[:rapid.IntRange(0, len(frame)).Draw(t, "cut")]
		all, err := script.Decode(cut[:len(cut):len(cut)])
		if err == nil && !bytes.Equal(script.Encode(all), cut) {
			t.Fatalf("%x was read as %x", cut, script.Encode(all))
		}
	})
}

func FuzzWire(f *testing.F) {
	f.Add(script.Encode([]script.Message{{Kind: script.KindHead, ID: 1, N: 200 << 6, Head: []byte("a\x00b"), Body: []byte("hello")}}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, frame []byte) {
		all, err := script.Decode(frame)
		if err != nil {
			return
		}
		size := 0
		for _, m := range all {
			size += len(m.Head) + len(m.Body)
		}
		if size > len(frame) {
			t.Errorf("%d bytes out of %d", size, len(frame))
		}
	})
}

// Nothing that a child can say makes the node panic, nor keep more than a window
// of a body, or one message of it.
func FuzzReceive(f *testing.F) {
	f.Add(script.Encode([]script.Message{{Kind: script.KindHead, N: 200<<6 | 8}, {Kind: script.KindBody, Body: []byte("x")}, {Kind: script.KindBody, N: 1}, {Kind: script.KindDone}}))
	f.Add(script.Encode([]script.Message{{Kind: script.KindHead, N: 200<<6 | 1, Head: []byte("a\x00b"), Body: []byte("x")}, {Kind: script.KindHead}}))
	f.Add(script.Encode([]script.Message{{Kind: script.KindCall, Sub: 1, Head: []byte("A\x00get\x00{}")}, {Kind: script.KindCall, Sub: 2, N: 8, Head: []byte("A\x00get\x00{}")}, {Kind: script.KindBody, Sub: 2, Body: []byte("x")}, {Kind: script.KindCredit, Sub: 1}}))
	f.Add(script.Encode([]script.Message{{Kind: script.KindLog, N: 9, Head: []byte("at x (<eval>:1:1)")}, {Kind: script.KindDone, Head: []byte(`{"limit":"limit_cpu"}`)}, {Kind: script.KindStuck}}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		kept, _ := script.Receive(frame)
		if len(kept) > max(script.Window, len(frame)) {
			t.Errorf("%d bytes are kept", len(kept))
		}
	})
}

// A child that sends more of a body than it was asked for is not ours.
func TestWindow(t *testing.T) {
	all := []script.Message{{Kind: script.KindHead, N: 200<<6 | 8}}
	for range 5 {
		all = append(all, script.Message{Kind: script.KindBody, Body: make([]byte, script.Window/4)})
	}
	if _, err := script.Receive(script.Encode(all[:5])); err != nil {
		t.Errorf("a window: %v", err)
	}
	if kept, err := script.Receive(script.Encode(all)); err == nil || len(kept) > script.Window {
		t.Errorf("more than a window: %v, %d bytes", err, len(kept))
	}
	for _, m := range []script.Message{
		{Kind: script.KindHead, N: 99 << 6}, {Kind: script.KindHead, N: 200 << 6, Head: []byte("a")}, {Kind: script.KindHead, N: 200 << 6, Head: []byte("a\x00b\r\nc: d")}, {Kind: script.KindHead, N: 200 << 6, Head: []byte("\x00b")},
		{Kind: script.KindCall, Head: []byte("A\x00get\x00{}")}, {Kind: script.KindCall, Sub: 1, Head: []byte("A")}, {Kind: script.KindDone, Head: []byte("{")},
	} {
		if _, err := script.Receive(script.Encode([]script.Message{m})); err == nil {
			t.Errorf("%+v is taken", m)
		}
	}
}

// --- source maps ----------------------------------------------------------------------

// sourceMap writes segments {column, file, line, column} by line, as bundlers do.
func sourceMap(files []string, lines [][][4]int) []byte {
	var b strings.Builder
	var last [4]int
	for i, line := range lines {
		if i > 0 {
			b.WriteByte(';')
		}
		last[0] = 0
		for k, s := range line {
			if k > 0 {
				b.WriteByte(',')
			}
			for f := range s {
				b.WriteString(vlq(s[f] - last[f]))
			}
			last = s
		}
	}
	m, err := json.Marshal(map[string]any{"version": 3, "sources": files, "mappings": b.String()})
	if err != nil {
		panic(err)
	}
	return m
}

func vlq(n int) (s string) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	v := n << 1
	if n < 0 {
		v = -n<<1 | 1
	}
	for {
		d := v & 31
		if v >>= 5; v > 0 {
			d |= 32
		}
		s += digits[d : d+1]
		if v == 0 {
			return s
		}
	}
}

// Each place is that of the last segment before it.
func TestTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := []string{"main.ts", "lib/ü.ts"}
		lines := make([][][4]int, rapid.IntRange(1, 5).Draw(t, "lines"))
		for i := range lines {
			column := 0
			for range rapid.IntRange(0, 4).Draw(t, "segments") {
				column += rapid.IntRange(1, 50).Draw(t, "column")
				lines[i] = append(lines[i], [4]int{column, rapid.IntRange(0, 1).Draw(t, "file"), rapid.IntRange(0, 1000).Draw(t, "line"), rapid.IntRange(0, 200).Draw(t, "at")})
			}
		}
		line, column := rapid.IntRange(1, 6).Draw(t, "l"), rapid.IntRange(1, 260).Draw(t, "c")
		want := fmt.Sprintf("bundle:%d:%d", line, column)
		if line <= len(lines) {
			for _, s := range lines[line-1] {
				if s[0] <= column-1 {
					want = fmt.Sprintf("%s:%d:%d", files[s[1]], s[2]+1, s[3]+1)
				}
			}
		}
		text, want := fmt.Sprintf("    at f (<eval>:%d:%d)\n", line, column), "    at f ("+want+")\n"
		if line <= len(lines) && len(lines[line-1]) == 0 {
			want = "" // the bundler has written that line
		}
		if got := script.Mapped("bundle", sourceMap(files, lines), text); got != want {
			t.Fatalf("%s became %s, not %s", text, got, want)
		}
	})
}

// What stands between the functions of an app is left out with what it calls.
func TestTraceOfGenerators(t *testing.T) {
	m := sourceMap([]string{"main.ts", "node:async_hooks"}, [][][4]int{{}, {{1, 0, 4, 2}}, {{1, 1, 60, 9}}})
	stack := "    at f (<eval>:2:5)\n    at next (native)\n    at fulfilled (<eval>:1:7)\n    at apply (native)\n    at <anonymous> (<eval>:3:7)\n    at map (native)\n    at g (<eval>:2:9)\n"
	if got := script.Mapped("p", m, stack); got != "    at f (main.ts:5:3)\n    at map (native)\n    at g (main.ts:5:3)\n" {
		t.Errorf("%q", got)
	}
	if got := script.Mapped("p", m, "logged <eval>:1:7\n"); got != "logged p:1:7\n" {
		t.Errorf("%q", got)
	}
}

func TestTraceText(t *testing.T) {
	stack := "Error: x\n    at f (<eval>:1:5)\n    at apply (native)\n    at serve (<eval>:524546:34)\n    at begin (<eval>:524540:8)\nand more\n"
	if got := script.Mapped("notes", nil, stack); got != "Error: x\n    at f (notes:1:5)\n    at apply (native)\nand more\n" {
		t.Errorf("%q", got)
	}
	if got := script.Mapped("notes", nil, "nothing to map"); got != "nothing to map" {
		t.Errorf("%q", got)
	}
}

func FuzzTrace(f *testing.F) {
	f.Add([]byte(`{"version":3,"sources":["a"],"mappings":"AAAA;AACA,C;;gggggggD"}`), 1, 1)
	f.Fuzz(func(t *testing.T, m []byte, line, column int) {
		script.Mapped("x", m, fmt.Sprintf("at <eval>:%d:%d", line, column))
	})
}
