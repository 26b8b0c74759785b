package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is one process under load.
type server struct {
	cmd    *exec.Cmd
	addr   string
	host   string // Host header it answers to
	secure bool   // it speaks TLS
	born   time.Time
}

// stop ends the process and waits for it.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

// cpu is the processor time the process and its ended children used so far.
func (s *server) cpu() (time.Duration, error) {
	src, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(src), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return 0, errors.New("unreadable /proc/PID/stat")
	}
	var ticks int64
	for _, f := range fields[11:15] { // utime, stime, and those of children
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil // USER_HZ is 100
}

// rss is the resident memory in MB.
func (s *server) rss() (float64, error) {
	src, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(src)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// startBare runs the reference: net/http with the bodies in memory.
func (b *bench) startBare(site string, more ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return launch(exec.Command(self, append([]string{"bare", addr, site}, more...)...), addr, "bench.localhost")
}

// bare is the reference server, in a process of its own.
func bare(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: bench bare ADDR FOLDER [tls]")
	}
	mux := http.NewServeMux()
	for _, name := range []string{"1k.bin", "100k.bin"} {
		body, err := os.ReadFile(filepath.Join(args[1], name))
		if err != nil {
			return err
		}
		length := []string{strconv.Itoa(len(body))}
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Length"] = length
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Write(body)
		})
	}
	if len(args) > 2 {
		return bareTLS(args[0], mux)
	}
	return http.ListenAndServe(args[0], mux)
}

// startFazt runs a node with the given state folder; configure gives it its
// content the first time.
func (b *bench) startFazt(state string, more ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(b.fazt, append([]string{"serve", "--state", state, "--listen", addr, "-q"}, more...)...)
	return launch(cmd, addr, "bench.localhost")
}

// startCaddy runs Caddy as its documentation says for files.
func (b *bench) startCaddy(caddy, site string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.dir, "Caddyfile")
	conf := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttp://bench.localhost:%s {\n\tbind 127.0.0.1\n\troot * %s\n\tfile_server\n}\n", addr[strings.LastIndex(addr, ":")+1:], site)
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(caddy, "run", "--config", file, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir)
	return launch(cmd, addr, "bench.localhost")
}

// findCaddy takes Caddy from the PATH or builds its module, outside ours.
func (b *bench) findCaddy() (string, error) {
	if path, err := exec.LookPath("caddy"); err == nil {
		return path, nil
	}
	cmd := exec.Command("go", "install", "github.com/caddyserver/caddy/v2/cmd/caddy@latest")
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GOBIN="+b.dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build caddy: %w: %s", err, out)
	}
	return filepath.Join(b.dir, "caddy"), nil
}

func launch(cmd *exec.Cmd, addr, host string) (*server, error) {
	s := &server{cmd: cmd, addr: addr, host: host, born: time.Now()}
	cmd.Stderr = nil
	return s, cmd.Start()
}

// first waits for the first 200 of a page and says how long after the exec it
// came.
func (s *server) first(path string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // 10,000 apps on a busy machine
	defer cancel()
	for ctx.Err() == nil {
		conn, err := s.dial("")
		if err != nil {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		status, _, err := exchange(conn, bufio.NewReader(conn), s.request(path))
		conn.Close()
		if err == nil && status == http.StatusOK {
			return time.Since(s.born), nil
		}
		time.Sleep(200 * time.Microsecond)
	}
	s.stop()
	return 0, fmt.Errorf("%s never answered 200 on %s", filepath.Base(s.cmd.Path), path)
}

func (s *server) request(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + s.host + "\r\n\r\n")
}

// exchange sends a prepared request and reads the answer through.
func exchange(w io.Writer, r *bufio.Reader, request []byte) (status int, body int64, err error) {
	if _, err := w.Write(request); err != nil {
		return 0, 0, err
	}
	line, err := r.ReadSlice('\n')
	if err != nil || len(line) < 12 {
		return 0, 0, errors.Join(err, io.ErrUnexpectedEOF)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		if len(line) <= 2 {
			break
		}
		if len(line) > 16 && (line[0] == 'C' || line[0] == 'c') && strings.EqualFold(string(line[:16]), "content-length: ") {
			if body, err = strconv.ParseInt(strings.TrimSpace(string(line[16:])), 10, 64); err != nil {
				return 0, 0, err
			}
		}
	}
	_, err = io.CopyN(io.Discard, r, body)
	return status, body, err
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
