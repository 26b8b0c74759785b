package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
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
	before func() // called before it is stopped, if there is one
}

// stop ends the process and waits for it.
func (s *server) stop() {
	if s.before != nil {
		s.before()
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

// cpu is the processor time that the process, its children and those of them that
// have ended used so far.
func (s *server) cpu() (time.Duration, error) {
	var ticks int64
	family, err := familyOf(s.cmd.Process.Pid)
	for _, p := range family {
		ticks += p.ticks
	}
	return time.Duration(ticks) * 10 * time.Millisecond, err // USER_HZ is 100
}

// rss is the resident memory of the process in MB.
func (s *server) rss() (float64, error) { return resident(s.cmd.Process.Pid) }

// memory is rss with that of the children.
func (s *server) memory() (float64, error) {
	family, err := familyOf(s.cmd.Process.Pid)
	all := 0.0
	for _, p := range family {
		mb, err := resident(p.pid)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		all += mb
	}
	return all, err
}

func resident(pid int) (float64, error) {
	src, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(src)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", pid)
}

// process is a line of /proc/PID/stat.
type process struct {
	pid, parent int
	ticks       int64 // its own, and of ended children
}

// familyOf is a process and all that descend from it.
func familyOf(pid int) ([]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children, family := map[int][]process{}, []process(nil)
	for _, f := range files {
		switch p, err := readStat(f); {
		case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH): // it has ended meanwhile
		case err != nil:
			return nil, err
		case p.pid == pid:
			family = append(family, p)
		default:
			children[p.parent] = append(children[p.parent], p)
		}
	}
	for i := 0; i < len(family); i++ {
		family = append(family, children[family[i].pid]...)
	}
	if family == nil {
		return nil, fmt.Errorf("process %d has ended", pid)
	}
	return family, nil
}

func readStat(file string) (process, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return process{}, err
	}
	id, _, _ := strings.Cut(string(src), " ")
	last := strings.LastIndexByte(string(src), ')') // the name may hold anything
	fields := strings.Fields(string(src[last+1:]))
	if last < 0 || len(fields) < 15 {
		return process{}, fmt.Errorf("%s is unreadable", file)
	}
	numbers := []string{id, fields[1], fields[11], fields[12], fields[13], fields[14]} // pid, ppid; utime, stime, and those of children
	var n [6]int64
	for i, text := range numbers {
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return process{}, err
		}
	}
	return process{int(n[0]), int(n[1]), n[2] + n[3] + n[4] + n[5]}, nil
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
	chunked := false
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
		chunked = chunked || (line[0] == 'T' || line[0] == 't') && strings.EqualFold(strings.TrimSpace(string(line)), "transfer-encoding: chunked")
	}
	if chunked {
		body, err = io.Copy(io.Discard, httputil.NewChunkedReader(r))
		if err == nil {
			_, err = r.Discard(2) // after the last chunk; nobody here sends trailers
		}
		return status, body, err
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
