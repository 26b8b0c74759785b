package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// pushToLive alternates a push into a plain remote with one into the followed
// one, whose hook tells the node, and waits for the new page.
func (f *fleet) pushToLive() error {
	hook := fmt.Sprintf("#!/bin/sh\nexec %s sync --state %s >/dev/null\n", f.fazt, f.state("state"))
	if err := os.WriteFile(filepath.Join(f.followed, "hooks", "post-receive"), []byte(hook), 0o755); err != nil {
		return err
	}
	if err := f.remote("alone.git"); err != nil {
		return err
	}
	var bare, live []float64
	f.node.host = f.name(1) + ".localhost"
	for i := range f.pushes {
		text := fmt.Sprintf("push %d", i+1)
		if err := errors.Join(f.page(1, text), git(f.work, "commit", "-q", "-am", text)); err != nil {
			return err
		}
		began := time.Now()
		if err := git(f.work, "push", "-q", "../alone.git", "main"); err != nil {
			return err
		}
		bare = append(bare, ms(time.Since(began)))
		d, err := pushAndSee(f.node, f.work, text)
		if err != nil {
			return fmt.Errorf("push %d: %w", i+1, err)
		}
		live = append(live, ms(d))
	}
	note := fmt.Sprintf("%d apps, %d pushes: live p50 %.0f, p95 %.0f ms; bare push median %.0f ms", f.apps, f.pushes, median(live), quantile(live, 0.95), median(bare))
	f.report("push_to_live_p95", quantile(live, 0.95)/median(bare), "<= 2.5", note)
	return nil
}

// pushAndSee is the time from the start of the push to the first byte of an
// answer that holds the new text.
func pushAndSee(s *server, work, text string) (time.Duration, error) {
	pushed := make(chan error, 1)
	began := time.Now()
	go func() { pushed <- git(work, "push", "-q", "../followed.git", "main") }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	seen, err := poll(ctx, s, []byte(text+"<"))
	if err != nil {
		return 0, errors.Join(err, <-pushed)
	}
	return seen.Sub(began), <-pushed
}

func poll(ctx context.Context, s *server, want []byte) (time.Time, error) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	reader, request := bufio.NewReader(conn), s.request("/")
	for ctx.Err() == nil {
		if _, err := conn.Write(request); err != nil {
			return time.Time{}, err
		}
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return time.Time{}, err
		}
		now := time.Now()
		var body bytes.Buffer
		if _, err := body.ReadFrom(resp.Body); err != nil {
			return time.Time{}, err
		}
		if bytes.Contains(body.Bytes(), want) {
			return now, nil
		}
		time.Sleep(time.Millisecond) // leaves the processor to the push
	}
	return time.Time{}, fmt.Errorf("%q was never served", want)
}

// git runs git in a folder with a blank configuration.
func git(dir string, args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Bench", "GIT_AUTHOR_EMAIL=bench@example.com", "GIT_COMMITTER_NAME=Bench", "GIT_COMMITTER_EMAIL=bench@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return nil
}
