package storage_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/platform/storage"
)

// writerEnv names the folder that a copy of this test binary writes to until it is
// killed.
const writerEnv = "FAZT_TEST_STORAGE"

const writers = 8

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		fmt.Fprintln(os.Stderr, writeForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForever counts up in every store, each writer in its own place, and says on
// stdout what was acknowledged: "writer store number".
func writeForever(dir string) error {
	ctx := context.Background()
	a, err := storage.NewPool(dir, storage.Options{}).Open(ctx, "notes", storage.Settings{})
	if err != nil {
		return err
	}
	if _, err := a.SQL("DB").Exec(ctx, `CREATE TABLE IF NOT EXISTS note (writer INTEGER, n INTEGER, UNIQUE (writer, n))`); err != nil {
		return err
	}
	failed := make(chan error)
	var mu sync.Mutex // lines are whole
	for w := range writers {
		go func() {
			failed <- writeOne(ctx, a, w, func(store string, n int) {
				mu.Lock()
				defer mu.Unlock()
				fmt.Println(w, store, n)
			})
		}()
	}
	return <-failed
}

func writeOne(ctx context.Context, a *storage.App, w int, acknowledge func(store string, n int)) error {
	name := fmt.Sprint("w", w)
	k, c, f, s := a.Keys("K"), a.Docs("D", killIndexes()).Collection("c"), a.Files("F", 0), a.SQL("DB")
	e, _, err := k.Get(ctx, name)
	if err != nil {
		return err
	}
	from, _ := strconv.Atoi(string(e.Data))
	for n := from + 1; ; n++ {
		if _, err := k.Put(ctx, name, storage.Value{Data: fmt.Append(nil, n), Text: true}, storage.PutOptions{}); err != nil {
			return err
		}
		acknowledge("keys", n)
		if _, err := c.Insert(ctx, marshal(map[string]any{"w": w, "n": n})); err != nil {
			return err
		}
		acknowledge("docs", n)
		if _, err := f.Put(ctx, name, strings.NewReader(fileBody(n)), storage.FileOptions{}); err != nil {
			return err
		}
		acknowledge("files", n)
		if _, err := s.Batch(ctx, []storage.Statement{st(`INSERT INTO note VALUES (?, ?)`, w, n), st(`INSERT INTO note VALUES (?, ?)`, w, -n)}); err != nil {
			return err
		}
		acknowledge("sql", n)
	}
}

func fileBody(n int) string { return strings.Repeat(fmt.Sprint(n, " "), 500) }

// No acknowledged write is lost, whichever store it was to and wherever the process
// is killed; none is half there; and counters and bytes on the disk fit the rows.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app")
	acknowledged := map[string][]int{}
	total := 0
	for range 12 {
		total += killWriters(t, dir, 1+rand.IntN(150), acknowledged)
		checkKilled(t, dir, acknowledged)
		if t.Failed() {
			return
		}
	}
	if total < 12 {
		t.Errorf("only %d writes in 12 rounds", total)
	}
}

// killWriters kills the writers after some acknowledgements, and notes them.
func killWriters(t *testing.T, dir string, after int, acknowledged map[string][]int) (count int) {
	t.Helper()
	var complaints strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+dir)
	cmd.Stderr = &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	for lines := bufio.NewReader(out); ; count++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		ok(t, err)
		fields := strings.Fields(line)
		n, err := strconv.Atoi(fields[2])
		ok(t, err)
		at := fields[0] + " " + fields[1]
		acknowledged[at] = append(acknowledged[at], n)
		if count == after {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if complaints.Len() > 0 {
		t.Fatalf("the writers failed: %s", complaints.String())
	}
	return count
}

func checkKilled(t *testing.T, dir string, acknowledged map[string][]int) {
	t.Helper()
	ctx := t.Context()
	p := storage.NewPool(dir, storage.Options{})
	defer func() { ok(t, p.Close()) }()
	a, err := p.Open(ctx, "notes", storage.Settings{})
	ok(t, err)
	defer a.Close()
	for w := range writers {
		name := fmt.Sprint("w", w)
		all := func(store string) []int { return acknowledged[fmt.Sprint(w, " ", store)] }
		want := func(store string) int { return slices.Max(append(all(store), 0)) }
		e, _, err := a.Keys("K").Get(ctx, name)
		ok(t, err)
		if n, _ := strconv.Atoi(string(e.Data)); n < want("keys") {
			t.Errorf("writer %d: key %d was acknowledged, %q is there", w, want("keys"), e.Data)
		}
		checkDocs(t, a.Docs("D", killIndexes()).Collection("c"), w, all("docs"))
		checkFile(t, a.Files("F", 0), name, want("files"))
		halves := rows(t, a.SQL("DB"), `SELECT count(*), sum(n), max(n) FROM note WHERE writer = ?`, w)
		if sum, is := halves[0][1].(int64); is && (sum != 0 || halves[0][2].(int64) < int64(want("sql"))) || !is && want("sql") > 0 {
			t.Errorf("writer %d: batch %d was acknowledged, there are %v", w, want("sql"), halves)
		}
	}
	checkWhole(t, a, filepath.Join(dir, "notes", "files"))
}

func killIndexes() []storage.Index {
	return []storage.Index{{Name: "n", On: []string{"w", "n"}, Unique: true}}
}

func checkDocs(t *testing.T, c *storage.Collection, w int, acknowledged []int) {
	t.Helper()
	there := map[int]bool{}
	q := storage.Query{Filter: marshal(map[string]any{"w": w}), Limit: 1000}
	for {
		page, err := c.Find(t.Context(), q)
		ok(t, err)
		for _, d := range page.Docs {
			var body struct{ N int }
			ok(t, json.Unmarshal(d.Body, &body))
			there[body.N] = true
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			break
		}
	}
	for _, n := range acknowledged {
		if !there[n] {
			t.Errorf("writer %d: document %d was acknowledged and is not there", w, n)
		}
	}
}

func checkFile(t *testing.T, f *storage.Files, name string, least int) {
	t.Helper()
	if _, there, err := f.Head(t.Context(), name); !there && least == 0 && err == nil {
		return
	}
	body := readFile(t, f, name, nil)
	n, _ := strconv.Atoi(strings.Fields(body)[0])
	if n < least || body != fileBody(n) {
		t.Errorf("file %d was acknowledged, %d is there: %.20q", least, n, body)
	}
}

func checkWhole(t *testing.T, a *storage.App, files string) {
	t.Helper()
	u, err := a.Usage(t.Context())
	ok(t, err)
	err = a.DB().Read(t.Context(), func(tx *sqlite.Tx) error {
		var integrity string
		if err := tx.QueryRow(`PRAGMA integrity_check`).Scan(&integrity); err != nil || integrity != "ok" {
			t.Errorf("%s %v", integrity, err)
		}
		var keys, size, named int64
		if err := tx.QueryRow(`SELECT (SELECT ifnull(sum(length(key) + length(value)), 0) FROM fazt_key), ifnull(sum(size), 0), count(*) FROM fazt_file`).Scan(&keys, &size, &named); err != nil {
			return err
		}
		if on := blobs(t, files); keys != u.Keys || size != u.Files || int(named) != on {
			t.Errorf("counted %+v; there are %d bytes of keys, %d of files, %d rows of files and %d blobs", u, keys, size, named, on)
		}
		return nil
	})
	ok(t, err)
}
