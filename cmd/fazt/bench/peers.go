package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peersDir is the module of what apps are measured against.
const peersDir = "cmd/fazt/testdata/peers"

// findNode tells why there is no node, if there is none.
func (b *bench) findNode() error {
	_, err := exec.LookPath("node")
	return err
}

// startNode runs node:http with a handler of two lines.
func (b *bench) startNode() (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return launch(exec.Command("node", filepath.Join(peersDir, "hello.mjs"), addr[strings.LastIndex(addr, ":")+1:]), addr, "localhost")
}

// newPocketBases builds PocketBase as its documentation says for production, and
// fills one with request logs and one without.
func (b *bench) newPocketBases() (logged, quiet func() (*server, error), err error) {
	program := filepath.Join(b.dir, "pocketbase")
	cmd := exec.Command("go", "build", "-C", peersDir, "-trimpath", "-o", program, "./pocketbase")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("build PocketBase: %w: %s", err, out)
	}
	logged, quiet = b.pocketBase(program, "on"), b.pocketBase(program, "off")
	return logged, quiet, errors.Join(fillPocketBase(logged), fillPocketBase(quiet))
}

func (b *bench) pocketBase(program, logs string) func() (*server, error) {
	return func() (*server, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		return launch(exec.Command(program, "serve", "--dir", filepath.Join(b.dir, "pocketbase-logs-"+logs), "--http", addr, "--logs", logs), addr, "localhost")
	}
}

func fillPocketBase(start func() (*server, error)) error {
	s, err := start()
	if err != nil {
		return err
	}
	if _, err := s.first("/api/health"); err != nil {
		return err
	}
	defer s.stop()
	return seed(s, seedNotes("/api/collections/notes/records", "id"))
}
