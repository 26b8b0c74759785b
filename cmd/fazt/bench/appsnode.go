package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The apps of the benchmark. hello answers one word; the others keep keys and
// notes.
const (
	helloCode = `export default {
  fetch(): Response {
    return new Response("hello");
  },
};
`
	notesCode = `interface Env {
  KV: { get(key: string): Promise<string | null>; put(key: string, value: string): Promise<void> };
  DOCS: { collection(name: string): { get(id: string): Promise<object | null>; insert(doc: object): Promise<object> } };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, , kind, id] = new URL(request.url).pathname.split("/");
    if (kind === "keys") {
      if (request.method === "PUT") {
        await env.KV.put(id, await request.text());
        return new Response("kept");
      }
      const value = await env.KV.get(id);
      return value === null ? new Response("no such key", { status: 404 }) : new Response(value);
    }
    const notes = env.DOCS.collection("notes");
    if (request.method === "POST") return Response.json(await notes.insert(await request.json()));
    const note = await notes.get(id);
    return note === null ? new Response("no such note", { status: 404 }) : Response.json(note);
  },
};
`
)

// appsNode is a node with apps that run code.
type appsNode struct {
	*bench
	state string
	last  map[string]float64 // counts of the process that ended last
}

// newAppsNode makes a node with apps of these names and fills those that keep
// something.
func (b *bench) newAppsNode(names ...string) (*appsNode, error) {
	dir, err := os.MkdirTemp(b.dir, "apps-*")
	if err != nil {
		return nil, err
	}
	n := &appsNode{bench: b, state: filepath.Join(dir, "state")}
	config := benchLimits
	for _, name := range names {
		block, err := writeApp(dir, name)
		if err != nil {
			return nil, err
		}
		config += block
	}
	if err := os.WriteFile(filepath.Join(dir, "fazt.hcl"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	s, err := b.startFazt(n.state)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := b.apply(n.state, dir); err != nil {
		return nil, err
	}
	for _, name := range names {
		if s.host = name + ".localhost"; name == "hello" {
			continue
		}
		if err := seed(s, seedKeys, seedNotes("/api/notes", "_id")); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return n, nil
}

// writeApp writes the files of an app and returns its block.
func writeApp(dir, name string) (string, error) {
	code, stores := notesCode, "  kv \"KV\" {}\n  docs \"DOCS\" {}\n"
	if name == "hello" {
		code, stores = helloCode, ""
	}
	folder := filepath.Join(dir, name, "api")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	block := fmt.Sprintf("app %q {\n  content = %q\n  hosts   = [%q]\n  runtime { entry = \"api/main.ts\" }\n%s}\n", name, name, name+".localhost", stores)
	return block, os.WriteFile(filepath.Join(folder, "main.ts"), []byte(code), 0o644)
}

// start runs the node for one of its apps.
func (n *appsNode) start(app string) func() (*server, error) {
	return func() (*server, error) {
		s, err := n.startFazt(n.state)
		if err == nil {
			s.host = app + ".localhost"
		}
		return s, err
	}
}

// counted is start for the app that keeps notes; what the process counted is
// kept when it is stopped.
func (n *appsNode) counted() (*server, error) {
	s, err := n.start("bench")()
	if err == nil {
		s.before = func() {
			if c, err := n.counts(); err == nil {
				n.last = c
			}
		}
	}
	return s, err
}

// sayCounts prints what an invocation and a transaction of the last round were on
// average.
func (n *appsNode) sayCounts(row string) {
	per := func(what, of string) float64 { return n.last["fazt_"+what] / max(n.last["fazt_"+of], 1) }
	if n.last["fazt_code_invocations_total"] == 0 {
		fmt.Printf("       %s: the node does not count invocations\n", row)
		return
	}
	fmt.Printf("       %s: %.0f invocations, %.2f host calls each; %.0f transactions, %.1f writes each; %.1f messages in a frame to the child, %.1f from it\n",
		row, n.last["fazt_code_invocations_total"], per("code_host_calls_total", "code_invocations_total"),
		n.last["fazt_app_transactions_total"], per("app_writes_total", "app_transactions_total"),
		per(`code_messages_total{to="child"}`, `code_frames_total{to="child"}`), per(`code_messages_total{to="node"}`, `code_frames_total{to="node"}`))
}

// counts are the node's metrics, by their names with labels; those of apps are
// added up by the bare name.
func (n *appsNode) counts() (map[string]float64, error) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(n.state, "run", "fazt.sock"))
		}}}
	resp, err := client.Get("http://node/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	src, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(src)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ = strings.Cut(name, "{app=")
		number, _ := strconv.ParseFloat(value, 64)
		all[name] += number
	}
	return all, err
}
