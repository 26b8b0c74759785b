package mail_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/mail"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// killedEnv names the database of a copy of this test binary that is killed between
// the server's yes and its own note of it.
const killedEnv = "FAZT_TEST_KILLED"

func TestMain(m *testing.M) {
	if path := os.Getenv(killedEnv); path != "" {
		fmt.Fprintln(os.Stderr, sendAndDie(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func sendAndDie(path string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	b, err := mail.Open(ctx, mail.Options{DB: db, Sealer: sealer{}, Deliver: func(context.Context, mail.Config, mail.Message) error {
		fmt.Println("taken")
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}})
	if err != nil {
		return err
	}
	b.Use(&mail.Config{Daily: 1})
	if err := b.Send(ctx, "ana@example.com", "Your code is 123456", "123456", time.Now().Add(time.Hour)); err != nil {
		return err
	}
	return b.Run(ctx)
}

// TestKilled is why a message may come twice: rather that than never. It has counted
// once for the day.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	killed := exec.CommandContext(t.Context(), os.Args[0])
	killed.Env = append(os.Environ(), killedEnv+"="+path)
	if out, _ := killed.CombinedOutput(); string(out) != "taken\n" {
		t.Fatalf("%s", out)
	}
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	p := &post{db: db, now: time.Now()}
	p.open(t, 2)
	if p.round(t); len(p.got) != 1 || p.stats(t) != (mail.Stats{Sent: 1}) {
		t.Errorf("%+v, %+v", p.got, p.stats(t))
	}
	if err := p.send(t, "ana@example.com"); err != nil {
		t.Errorf("the second of two: %v", err)
	}
	if err := p.send(t, "ana@example.com"); fault.KindOf(err) != fault.Exhausted {
		t.Errorf("the third of two: %v", err)
	}
}

// TestStopped notes what was sent while the node stops, and keeps what was not.
func TestStopped(t *testing.T) {
	for _, fail := range []error{nil, fault.New(fault.Invalid, "cut off")} {
		p := newPost(t, 10)
		ctx, stop := context.WithCancel(t.Context())
		b, err := mail.Open(t.Context(), mail.Options{DB: p.db, Sealer: sealer{}, Now: p.time, Deliver: func(context.Context, mail.Config, mail.Message) error {
			stop()
			return fail
		}})
		if err != nil {
			t.Fatal(err)
		}
		b.Use(&mail.Config{Daily: 10})
		p.Outbox = b
		if err := p.send(t, "ana@example.com"); err != nil {
			t.Fatal(err)
		}
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
		want := mail.Stats{Sent: 1}
		if fail != nil {
			want = mail.Stats{Waiting: 1}
		}
		if s := p.stats(t); s != want {
			t.Errorf("%v: %+v, want %+v", fail, s, want)
		}
	}
}

// TestLog has each outcome, and of a person no more than the domain.
func TestLog(t *testing.T) {
	s := newServer(t, &server{starttls: true, answers: map[string][]string{"RCPT": {"421 4.3.2 ana@example.com later", "550 5.1.1 <ana@example.com> nobody"}}})
	p := newPost(t, 10)
	var log bytes.Buffer
	b, err := mail.Open(t.Context(), mail.Options{DB: p.db, Sealer: sealer{}, Now: p.time, Log: slog.New(slog.NewTextHandler(&log, nil)), Deliver: s.deliverer()})
	if err != nil {
		t.Fatal(err)
	}
	b.Use(&mail.Config{From: "hello@example.com", SMTP: "smtp://smtp.example.com", Daily: 10})
	p.Outbox = b
	for i, want := range []mail.Stats{{Waiting: 1}, {Failed: 1}, {Sent: 1, Failed: 1}} {
		if i != 1 {
			if err := p.send(t, "ana@example.com"); err != nil {
				t.Fatal(err)
			}
		}
		p.round(t)
		if s := p.stats(t); s != want {
			t.Errorf("%d: %+v, want %+v", i, s, want)
		}
		p.pass(10 * time.Second)
	}
	for _, want := range []string{"421 4.3.2", "550 5.1.1", "was sent", "domain=example.com"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, log.String())
		}
	}
	for _, never := range []string{"ana", "123456"} {
		if strings.Contains(log.String(), never) {
			t.Errorf("%q in\n%s", never, log.String())
		}
	}
}
