package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// mostTyped is how much of a value is read: more than can be sealed.
const mostTyped = 1 << 20

type secretSetIn struct {
	Name      string   `arg:"" help:"name of the secret, as in secret.NAME" json:"name"`
	Dir       string   `arg:"" optional:"" name:"dir" default:"." help:"folder of the configuration" json:"dir"`
	Recipient []string `placeholder:"age1..." help:"seal to this key too; may be repeated" json:"recipient"`
}

func (p *program) secretSet(_ context.Context, in secretSetIn) (sealedOut, error) {
	v, err := p.soundVault(in.Dir)
	if err != nil {
		return sealedOut{}, err
	}
	value, err := p.readValue(in.Name)
	if err != nil {
		return sealedOut{}, err
	}
	return p.sealAll(v, in.Dir, map[string]string{in.Name: value}, in.Recipient)
}

// sealAll seals values and writes the files that changed.
func (p *program) sealAll(v vault, dir string, values map[string]string, more []string) (sealedOut, error) {
	out, patch := sealedOut{Sealed: []secretSealed{}, Keyless: v.Keyless}, op.Patch{}
	to := v.recipients(more)
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		done, err := v.seal(patch, name, values[name], to)
		if err != nil {
			return out, err
		}
		out.Sealed = append(out.Sealed, done)
	}
	return out, p.patch(dir, patch)
}

// readValue takes a value from a person at a terminal, or from whatever standard
// input is, without the end of its last line.
func (p *program) readValue(name string) (string, error) {
	in, isFile := p.stdin.(*os.File)
	out, outIsFile := p.stderr.(*os.File)
	if isFile && outIsFile && op.IsTerminal(in) {
		if p.noInput {
			return "", fault.New(fault.Conflict, "the value is asked for, and nobody is there to answer").WithHint("give it on standard input: fazt secret set %s < FILE", name)
		}
		line, err := op.AskHidden(in, out, "Value of secret."+name+": ")
		return string(line), err
	}
	text, err := io.ReadAll(io.LimitReader(p.stdin, mostTyped))
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "read the value from standard input")
	}
	return cutLineEnd(string(text)), nil
}

func cutLineEnd(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

type secretRotateIn struct {
	Name      string   `arg:"" help:"name of the secret" json:"name"`
	Dir       string   `arg:"" optional:"" name:"dir" default:"." help:"folder of the configuration" json:"dir"`
	Stdin     bool     `help:"take the new value from standard input instead" json:"stdin"`
	Bytes     int      `default:"32" help:"random bytes, 16 to 1024; the value is their base64url" json:"bytes"`
	Recipient []string `placeholder:"age1..." help:"seal to this key too; may be repeated" json:"recipient"`
}

func (p *program) secretRotate(_ context.Context, in secretRotateIn) (sealedOut, error) {
	v, err := p.soundVault(in.Dir)
	if err != nil {
		return sealedOut{}, err
	}
	if _, err := v.have(in.Name); err != nil {
		return sealedOut{}, err
	}
	if in.Bytes < 16 || in.Bytes > 1024 {
		return sealedOut{}, op.Usage("--bytes is 16 to 1024, not %d", in.Bytes)
	}
	random := make([]byte, in.Bytes)
	rand.Read(random) // never fails
	value := base64.RawURLEncoding.EncodeToString(random)
	if in.Stdin {
		if value, err = p.readValue(in.Name); err != nil {
			return sealedOut{}, err
		}
	}
	return p.sealAll(v, in.Dir, map[string]string{in.Name: value}, in.Recipient)
}

type secretRekeyIn struct {
	secretDirIn
	Recipient []string `placeholder:"age1..." help:"seal to this key too; may be repeated" json:"recipient"`
}

func (p *program) secretRekey(_ context.Context, in secretRekeyIn) (sealedOut, error) {
	v, err := p.soundVault(in.Dir)
	if err != nil {
		return sealedOut{}, err
	}
	id, err := p.identity(in.Identity)
	if err != nil {
		return sealedOut{}, err
	}
	values := map[string]string{}
	for _, s := range v.Secrets {
		value, err := id.Unseal("secret."+s.Name, s.Envelope)
		if err != nil {
			return sealedOut{}, err
		}
		values[s.Name] = value.Reveal()
	}
	return p.sealAll(v, in.Dir, values, in.Recipient)
}

type secretEditIn struct {
	Name      string   `arg:"" help:"name of the secret" json:"name"`
	Dir       string   `arg:"" optional:"" name:"dir" default:"." help:"folder of the configuration" json:"dir"`
	Identity  string   `placeholder:"FILE" help:"your key; without it the one of your settings, and this machine's" json:"identity"`
	Recipient []string `placeholder:"age1..." help:"seal to this key too; may be repeated" json:"recipient"`
}

func (p *program) secretEdit(ctx context.Context, in secretEditIn) (sealedOut, error) {
	v, err := p.soundVault(in.Dir)
	if err != nil {
		return sealedOut{}, err
	}
	s, err := v.have(in.Name)
	if err != nil {
		return sealedOut{}, err
	}
	id, err := p.identity(in.Identity)
	if err != nil {
		return sealedOut{}, err
	}
	old, err := id.Unseal("secret."+s.Name, s.Envelope)
	if err != nil {
		return sealedOut{}, err
	}
	value, err := p.edited(ctx, old.Reveal())
	if err != nil {
		return sealedOut{}, err
	}
	if value == old.Reveal() {
		return sealedOut{Same: true, Sealed: []secretSealed{}}, nil
	}
	return p.sealAll(v, in.Dir, map[string]string{in.Name: value}, in.Recipient)
}

// edited shows a text to the person's editor and returns what became of it. The
// file is theirs alone and gone when this returns, also where a signal ends it.
func (p *program) edited(ctx context.Context, text string) (string, error) {
	editor := p.getenv("VISUAL")
	if editor == "" {
		editor = p.getenv("EDITOR")
	}
	if editor == "" {
		return "", fault.New(fault.Invalid, "there is no editor to open").WithHint("name one in EDITOR")
	}
	ctx, stop := untilHangUp(ctx)
	defer stop()
	dir, err := os.MkdirTemp(p.fleeting(), "fazt-secret-*") // 0700
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "make a folder for the editor")
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "value")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "write the file for the editor")
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", file) // as git does: it may have arguments
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.stderr, p.stderr
	if err := cmd.Run(); err != nil {
		return "", fault.New(fault.Unavailable, "the editor failed: %w", err).WithHint("nothing was changed")
	}
	after, err := os.ReadFile(file)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "read what the editor wrote")
	}
	if strings.HasSuffix(text, "\n") { // else it is the editor's
		return string(after), nil
	}
	return cutLineEnd(string(after)), nil
}

// fleeting is a folder that is in memory, where there is one.
func (p *program) fleeting() string {
	for _, dir := range []string{p.getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		if info, err := os.Stat(dir); dir != "" && err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

// untilHangUp leaves an interrupt to the editor, and ends with what ends it.
func untilHangUp(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals, done := make(chan os.Signal, 4), make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for {
			select {
			case s := <-signals:
				if s != syscall.SIGINT {
					cancel()
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); close(done); cancel() }
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
