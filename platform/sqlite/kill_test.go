package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// writerEnv names the database that a copy of this test binary writes to until
// it is killed.
const writerEnv = "FAZT_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writers is how many write at once until they are killed.
const writers = 8

// writeForever acknowledges each write on stdout, as WRITER-NUMBER, once its
// commit returned. A write is two rows.
func writeForever(path string) error {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range writers {
		go func() {
			for {
				var word string
				if err := d.Write(ctx, func(tx *sqlite.Tx) error {
					var n int
					if err := tx.QueryRow(`SELECT count(*) FROM note WHERE word GLOB ?`, fmt.Sprintf("%d-*", w)).Scan(&n); err != nil {
						return err
					}
					word = fmt.Sprintf("%d-%d", w, n/2)
					return errors.Join(insert(tx, word), insert(tx, word+"-again"))
				}); err != nil {
					failed <- err
				}
				fmt.Println(word)
			}
		}()
	}
	return <-failed
}

// No acknowledged write is lost, wherever in a write the process is killed, and
// no write is half there.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	if err := openAt(t, path, sqlite.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]bool{}
	for round := range 20 {
		for _, word := range killWriter(t, path, 1+rand.IntN(40)) {
			acknowledged[word] = true
		}
		d := openAt(t, path, sqlite.Options{})
		there := words(t, d)
		for word := range acknowledged {
			if !slices.Contains(there, word) {
				t.Fatalf("round %d: %s was acknowledged and is not there", round, word)
			}
		}
		if len(there)%2 != 0 {
			t.Fatalf("round %d: half a write", round)
		}
		var ok string
		if err := d.Read(t.Context(), func(tx *sqlite.Tx) error {
			return tx.QueryRow(`PRAGMA integrity_check`).Scan(&ok)
		}); err != nil || ok != "ok" {
			t.Fatalf("round %d: %s %v", round, ok, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 20 {
		t.Errorf("only %d writes in 20 rounds", len(acknowledged))
	}
}

// killWriter kills the writer after some acknowledgements, while it is at the
// next ones, and returns what it had acknowledged.
func killWriter(t *testing.T, path string, after int) (words []string) {
	t.Helper()
	var complaints strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	cmd.Stderr = &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for i := 0; ; i++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		words = append(words, strings.TrimSpace(line))
		if i == after {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if complaints.Len() > 0 {
		t.Fatalf("the writer failed: %s", complaints.String())
	}
	return words
}
