package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fazt-sh/fazt/platform/queue"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// workerEnv names the database that a copy of this test binary works on until it
// is killed.
const workerEnv = "FAZT_TEST_WORKER"

func TestMain(m *testing.M) {
	if path := os.Getenv(workerEnv); path != "" {
		fmt.Fprintln(os.Stderr, workForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// workForever sends jobs and does them, and says so on stdout: "sent" behind a
// Send that returned, "done" when the app has seen the job.
func workForever(path string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path, sqlite.Options{Reserved: "fazt_"})
	if err != nil {
		return err
	}
	s, err := queue.Open(ctx, db, queue.Options{})
	if err != nil {
		return err
	}
	if err := s.Declare(ctx, busy(), nil); err != nil {
		return err
	}
	failed := make(chan error)
	for range 4 {
		go func() {
			for {
				ids, err := s.Send(ctx, "MAIL", make([]queue.Message, 2)...)
				if err != nil {
					failed <- err
				}
				fmt.Printf("sent %d\nsent %d\n", ids[0], ids[1])
			}
		}()
	}
	go func() {
		failed <- s.Run(ctx, func(_ context.Context, d queue.Delivery) (queue.Answer, error) {
			for _, j := range d.Batch.Jobs {
				fmt.Printf("done %d\n", j.ID)
			}
			return queue.Answer{}, nil
		})
	}()
	return <-failed
}

// A job that ends with the process many times is not given up here.
func busy() []queue.Queue { return []queue.Queue{{Name: "MAIL", Retries: 1000, Batch: 5, Parallel: 2}} }

// Every job that was sent is done, wherever the process is killed.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	open(t, path, queue.Options{}, busy()).close(t)
	sent, done := map[string]bool{}, map[string]bool{}
	for range 10 {
		for _, line := range killWorker(t, path, 20+rand.IntN(200)) {
			switch what, id, _ := strings.Cut(line, " "); what {
			case "sent":
				sent[id] = true
			case "done":
				done[id] = true
			}
		}
	}
	r := open(t, path, queue.Options{}, busy())
	defer r.close(t)
	left, err := r.Jobs(t.Context(), "MAIL", "", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range left {
		if j.State == "dead" {
			t.Errorf("%+v", j)
		}
		done[fmt.Sprint(j.ID)] = true // it will be, or again
	}
	for id := range sent {
		if !done[id] {
			t.Errorf("job %s was sent, and is neither done nor there", id)
		}
	}
	if len(sent) < 20 || len(done) <= len(left) {
		t.Errorf("%d sent, %d done, %d left", len(sent), len(done), len(left))
	}
	if err := r.db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// killWorker kills the worker after some lines and returns what it said.
func killWorker(t *testing.T, path string, after int) (lines []string) {
	t.Helper()
	var complaints strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"="+path)
	cmd.Stderr = &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for said := bufio.NewReader(out); ; {
		line, err := said.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if lines = append(lines, strings.TrimSpace(line)); len(lines) == after {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if complaints.Len() > 0 {
		t.Fatalf("the worker failed: %s", complaints.String())
	}
	return lines
}
