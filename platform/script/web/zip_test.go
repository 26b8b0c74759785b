package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/script/web"
)

func TestCompression(t *testing.T) {
	run(t, `
const pump = async (stream, ...chunks) => {
  const w = stream.writable.getWriter();
  const writing = (async () => { for (const c of chunks) await w.write(c); await w.close(); })();
  writing.catch(() => {});
  const all = await collect(stream.readable);
  await writing;
  return all.reduce((a, b) => { const c = new Uint8Array(a.length + b.length); c.set(a); c.set(b, a.length); return c; }, new Uint8Array(0));
};
for (const format of ["gzip", "deflate", "deflate-raw"]) {
  test(format + " there and back", async () => {
    const text = "hello hello hello ".repeat(10000);
    const packed = await pump(new CompressionStream(format), ...text.match(/.{1,50000}/g).map((s) => new TextEncoder().encode(s)));
    ok("smaller", packed.length < 2000);
    is("same", new TextDecoder().decode(await pump(new DecompressionStream(format), packed)) === text, true);
    is("byte by byte", new TextDecoder().decode(await pump(new DecompressionStream(format), ...Array.from(packed, (b) => bytes(b)))) === text, true);
    is("nothing", (await pump(new DecompressionStream(format), await pump(new CompressionStream(format)))).length, 0);
    await rejects("cut off", "TypeError", () => pump(new DecompressionStream(format), packed.slice(0, -3)));
    await rejects("more after the end", "TypeError", () => pump(new DecompressionStream(format), packed, bytes(1)));
    await rejects("more in the same chunk", "TypeError", () => pump(new DecompressionStream(format), bytes(...packed, 1)));
    await rejects("no bytes at all", "TypeError", () => pump(new DecompressionStream(format)));
    await rejects("garbage", "TypeError", () => pump(new DecompressionStream(format), bytes(255, 255, 255, 255, 255, 255)));
    await rejects("no bytes", "TypeError", () => pump(new CompressionStream(format), "text"));
  });
}
test("known answers", async () => {
  is("gzip", new TextDecoder().decode(await pump(new DecompressionStream("gzip"), unhex("1f8b0800000000000003cb48cdc9c90700 86a61036 05000000"))), "hello");
  is("deflate", new TextDecoder().decode(await pump(new DecompressionStream("deflate"), unhex("789ccb48cdc9c907 00062c0215"))), "hello");
  await rejects("bad checksum", "TypeError", () => pump(new DecompressionStream("deflate"), unhex("789ccb48cdc9c907 00062c0216")));
});
test("formats", () => {
  for (const f of ["br", "GZIP", "", undefined]) throws("format " + f, "TypeError", () => new CompressionStream(f));
});
test("output comes as input comes", async () => {
  const c = new CompressionStream("gzip");
  const d = new DecompressionStream("gzip");
  const w = c.writable.getWriter();
  const r = c.readable.pipeThrough(d).getReader();
  const noise = crypto.getRandomValues(new Uint8Array(65536));
  for (let i = 0; i < 8; i++) w.write(noise);
  ok("some", (await r.read()).value.length > 0);
  await r.cancel();
});`)
}

// A bomb ends at the cap whatever the stream's reader does.
func TestDecompressionBomb(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	chunk := make([]byte, 1<<20)
	for range 65 {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	must(t, w.Close())
	call := web.Functions()[web.CallName]
	id, err := call([]any{"zip.open", "gzip", true})
	must(t, err)
	_, err = call([]any{"zip.push", id, base64.StdEncoding.EncodeToString(packed.Bytes())})
	must(t, err)
	for given := 0; ; {
		out, err := call([]any{"zip.pull", id})
		if err != nil {
			if !strings.Contains(err.Error(), "64 MiB") {
				t.Errorf("got %v", err)
			}
			return
		}
		piece, err := base64.StdEncoding.DecodeString(out.(string))
		must(t, err)
		if given += len(piece); given > 64<<20 || len(piece) == 0 {
			t.Fatalf("%d bytes came out", given)
		}
	}
}

func TestOpenCompressionStreamsAreBounded(t *testing.T) {
	call := web.Functions()[web.CallName]
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = call([]any{"zip.open", "gzip", true})
	}
	if err == nil || n > 100 {
		t.Errorf("%d streams are open", n)
	}
}

// A machine that is dropped with open streams leaves no coroutine behind.
func TestDroppedStreamsEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		call := web.Functions()[web.CallName]
		id, err := call([]any{"zip.open", "gzip", true})
		must(t, err)
		_, err = call([]any{"zip.push", id, "H4sI"})
		must(t, err)
		_, err = call([]any{"zip.pull", id})
		must(t, err)
	}
	for range 100 {
		runtime.GC()
		runtime.Gosched()
		if runtime.NumGoroutine() <= before+2 {
			return
		}
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
