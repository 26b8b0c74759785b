package main

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/fazt-sh/fazt/platform/bundle"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/script/web"
)

// contextual is a program whose async functions the bundler turns into generators.
const contextual = `import { AsyncLocalStorage } from "node:async_hooks";
const storage = new AsyncLocalStorage();

async function load(id) {
  await null;
  return decode(id);
}

function decode(id) {
  throw new Error("no " + id);
}

export default {
  async fetch() {
    return storage.run(1, async () => new Response(await load("a")));
  },
};
`

// A trace of a program with AsyncLocalStorage names its own places, and none of what
// carries the context.
func TestTraceOfAContext(t *testing.T) {
	r, err := bundle.Bundle(t.Context(), bundle.Job{Name: "p", Files: fstest.MapFS{"main.js": {Data: []byte(contextual)}}, Entry: "main.js", Dir: t.TempDir(), Node: web.Node()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = loaded(t, engine(t), r).Fetch(t.Context(), script.Request{Method: "GET", URL: "http://app.test/"}, bare{})
	thrown, ok := errors.AsType[*script.Exception](err)
	if !ok {
		t.Fatal(err)
	}
	if want := "    at decode (main.js:10:13)\n    at <anonymous> (main.js:6:10)\n"; thrown.Stack != want {
		t.Errorf("%s", thrown.Stack)
	}
}
