package script_test

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"testing"

	"github.com/fazt-sh/fazt/platform/script"
)

func must(b *testing.B, a *script.App, r script.Request, w script.Bindings) {
	res, err := a.Fetch(context.Background(), r, w)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		b.Fatal(err)
	}
	res.Body.Close()
}

// One request after the other, and many at a time.
func BenchmarkHello(b *testing.B) {
	for name, c := range map[string]script.Config{"child": {}, "process": {InProcess: true}} {
		h := host(b, c)
		a := open(b, h, hello, script.Bounds{})
		w := &world{}
		b.Run(name+"/one", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, a, get("http://app.test/x"), w)
			}
		})
		b.Run(name+"/64", func(b *testing.B) {
			before := h.Stats()
			crowd(b, 64, func() { must(b, a, get("http://app.test/x"), w) })
			perFrame(b, before, h.Stats())
		})
	}
}

// A handler that makes 100 calls at once, and one that waits for each.
func BenchmarkCalls(b *testing.B) {
	h := host(b, script.Config{})
	w := &world{calls: map[string]func(context.Context, script.Call) (script.Reply, error){
		"fetch.fetch": func(context.Context, script.Call) (script.Reply, error) {
			return script.Reply{Value: json.RawMessage(`{"status":204,"headers":[],"url":"http://x.test/"}`)}, nil
		},
	}}
	for name, code := range map[string]string{
		"together": `export default { async fetch() { await Promise.all(Array.from({length: 100}, () => fetch("http://x.test/"))); return new Response("x") } }`,
		"in turn":  `export default { async fetch() { for (let i = 0; i < 100; i++) await fetch("http://x.test/"); return new Response("x") } }`,
	} {
		a := open(b, h, code, script.Bounds{})
		b.Run(name, func(b *testing.B) {
			before := h.Stats()
			for b.Loop() {
				must(b, a, get("http://app.test/x"), w)
			}
			perFrame(b, before, h.Stats())
		})
		b.Run(name+"/16", func(b *testing.B) {
			before := h.Stats()
			crowd(b, 16, func() { must(b, a, get("http://app.test/x"), w) })
			perFrame(b, before, h.Stats())
		})
	}
}

// crowd calls f b.N times from n goroutines.
func crowd(b *testing.B, n int, f func()) {
	var all sync.WaitGroup
	next := make(chan struct{}, n)
	for range n {
		all.Go(func() {
			for range next {
				f()
			}
		})
	}
	for range b.N {
		next <- struct{}{}
	}
	close(next)
	all.Wait()
}

func perFrame(b *testing.B, from, to script.Stats) {
	b.ReportMetric(float64(to.MessagesIn-from.MessagesIn)/float64(to.FramesIn-from.FramesIn), "in/frame")
	b.ReportMetric(float64(to.MessagesOut-from.MessagesOut)/float64(to.FramesOut-from.FramesOut), "out/frame")
}
