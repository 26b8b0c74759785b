package script

import "testing"

// The factories that are shipped: other tests of the package have one of their own.
var shipped = bindingsSource + keysSource + sqlSource + docsSource + blobsSource + fetchSource

// BenchmarkTurn is what one machine does for a request, without the processes and
// goroutines around it: the turns and what they cost in the engine.
func BenchmarkTurn(b *testing.B) {
	for name, code := range map[string]string{
		"sync":  `export default { fetch() { return new Response("hello"); } };`,
		"async": `export default { async fetch() { return new Response("hello"); } };`,
		"url":   `export default { fetch(request) { return new Response(new URL(request.url).pathname); } };`,
		"key":   `export default { async fetch(request, env) { return new Response(await env.KEYS.get("k")); } };`,
	} {
		b.Run(name, func(b *testing.B) {
			m := lone(b, code)
			reply := message{kind: kindReply, sub: 1, head: []byte(`{"text":"a value","version":1}`)}
			b.ReportAllocs()
			for b.Loop() {
				reply.id++
				m.admit(reply.id)
				if m.tasks[reply.id] != nil {
					m.turn(reply)
				}
				if m.tasks[reply.id] != nil {
					b.Fatal("it has not ended")
				}
				m.program.engine.link.queue = nil
			}
		})
	}
}

// lone is a machine that runs on the caller's goroutine.
func lone(b *testing.B, code string) *machine {
	bindingsSource, keysSource, sqlSource, docsSource, blobsSource, fetchSource = shipped, "", "", "", "", ""
	prelude, err := newPrelude()
	if err != nil {
		b.Fatal(err)
	}
	end, _ := pipe()
	e := &engine{link: newLink(end), prelude: prelude, programs: map[uint64]*program{}, tasks: map[uint64]*task{}}
	e.apply(settings{})
	bounds := Bounds{}.withDefaults()
	m := newMachine(&program{engine: e, id: 1, declared: bounds, bounds: bounds, source: code, envs: map[uint64]string{1: `[{"name":"KEYS","kind":"kv"}]`}})
	if _, f := m.boot(); f != nil {
		b.Fatal(f)
	}
	return m
}

// admit has the machine begin an invocation.
func (m *machine) admit(id uint64) {
	t := newTask(m.program, message{kind: kindInvoke, id: id, n: 1 << flagShift, head: []byte("GET\x00http://bench.test:8080/api/keys/17\x00127.0.0.1\x00r-1\x00bench\x00r-2\x00\x00accept\x00*/*\x00host\x00bench.test")})
	t.machine = m
	m.load++
	m.program.engine.tasks[id] = t
	m.turn(t.invoke)
}
