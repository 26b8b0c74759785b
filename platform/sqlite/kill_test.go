package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// writeForever acknowledges each number on stdout once its commit returned.
func writeForever(path string) error {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	for {
		var word string
		if err := d.Write(ctx, func(tx *sqlite.Tx) error {
			var n int
			if err := tx.QueryRow(`SELECT count(*) FROM note`).Scan(&n); err != nil {
				return err
			}
			word = strconv.Itoa(n + 1)
			_, err := tx.Exec(`INSERT INTO note (word) VALUES (?)`, word)
			return err
		}); err != nil {
			return err
		}
		fmt.Println(word)
	}
}

// No acknowledged write is lost, wherever in a write the process is killed, and
// no write is half there.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	if err := openAt(t, path, sqlite.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for round := range 20 {
		if n := killWriter(t, path, 1+rand.IntN(40)); n > 0 {
			acknowledged = n
		}
		d := openAt(t, path, sqlite.Options{})
		if n := count(t, d); n < acknowledged {
			t.Fatalf("round %d: %d writes were acknowledged, %d are there", round, acknowledged, n)
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
	if acknowledged < 20 {
		t.Errorf("only %d writes in 20 rounds", acknowledged)
	}
}

// killWriter kills the writer after some acknowledgements, while it is at the
// next write, and returns the last number it had acknowledged.
func killWriter(t *testing.T, path string, after int) int {
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
	last := 0
	for i := 0; ; i++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if last, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
			t.Fatal(err)
		}
		if i == after {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if complaints.Len() > 0 {
		t.Fatalf("the writer failed: %s", complaints.String())
	}
	return last
}
