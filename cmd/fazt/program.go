package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
)

// program is one invocation: everything taken from the process, in one place.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	dir            string // -C, or the working folder
	state          string // --state, or empty for the default
	debug, quiet   bool
	noInput        bool // nobody is to be asked
}

// path makes a name that the caller typed absolute.
func (p *program) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.dir, name)
}

// stateDir is where this user's node keeps everything.
func (p *program) stateDir() (string, error) {
	switch {
	case p.state != "":
		return p.path(p.state), nil
	case p.getenv("FAZT_DATA_DIR") != "":
		return p.path(p.getenv("FAZT_DATA_DIR")), nil
	case p.getenv("XDG_DATA_HOME") != "":
		return filepath.Join(p.getenv("XDG_DATA_HOME"), "fazt"), nil
	case os.Geteuid() == 0:
		return "/var/lib/fazt", nil
	case p.getenv("HOME") != "":
		return filepath.Join(p.getenv("HOME"), ".local", "share", "fazt"), nil
	}
	return "", fault.New(fault.Invalid, "no home folder to keep state in").WithHint("name a folder with --state DIR")
}

func (p *program) peers() peerBook {
	config, state := p.getenv("FAZT_CONFIG_DIR"), p.getenv("XDG_STATE_HOME")
	if config == "" {
		config = filepath.Join(p.xdg("XDG_CONFIG_HOME", ".config"), "fazt")
	}
	if state == "" {
		state = filepath.Join(p.getenv("HOME"), ".local", "state")
	}
	return peerBook{config: config, state: filepath.Join(state, "fazt")}
}

func (p *program) xdg(name, fallback string) string {
	if dir := p.getenv(name); dir != "" {
		return dir
	}
	return filepath.Join(p.getenv("HOME"), fallback)
}
