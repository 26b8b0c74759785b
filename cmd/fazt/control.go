package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"golang.org/x/sys/unix"
)

// socketName is the node's socket for this machine, in STATE/run.
const socketName = "fazt.sock"

// control is how a node is told what to do: the operation table on a unix
// socket that only its owner can open, and on a loopback address behind a
// token.
type control struct {
	socket, tcp net.Listener
	server      [2]*http.Server
	runDir      string
}

// openControl binds both listeners and writes down where they are: the address to
// STATE/run/control, the token to STATE/run/token unless there is one.
func openControl(stateDir, addr string, n *node, log *slog.Logger) (*control, error) {
	if err := checkControlAddr(addr); err != nil {
		return nil, err
	}
	run := platform.RunFolder(stateDir)
	token, err := controlToken(filepath.Join(run, "token"))
	if err != nil {
		return nil, err
	}
	c := &control{runDir: run}
	if c.socket, err = n.ground.Listen(socketName); err != nil {
		return nil, err
	}
	if c.tcp, err = bindControl(addr); err != nil {
		return nil, errors.Join(err, c.socket.Close())
	}
	c.noteAddr(log)
	c.server[0] = controlServer(n.controlMux(socketAccess, log), log)
	c.server[0].ConnContext = withPeerUID
	c.server[1] = controlServer(ofThisMachine(n.controlMux(tokenAccess(token), log)), log)
	return c, nil
}

// noteAddr writes down where the loopback address is. On a full disk that fails
// and must not keep the sites from being served: the log has the address too.
func (c *control) noteAddr(log *slog.Logger) {
	file := filepath.Join(c.runDir, "control")
	if err := writePrivate(file, []byte("http://"+c.tcp.Addr().String()+"\n")); err != nil {
		os.Remove(file) // a dead node's address is worse than none
		log.Warn("the control address is not written down", "file", file, "error", err)
	}
}

func bindControl(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "listen on %s", addr).
			WithSubject(addr).WithHint("another program has the port; choose another address or :0")
	}
	return l, nil
}

// checkControlAddr keeps the control listener on this machine, as it speaks plain
// HTTP.
func checkControlAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "--control %q", addr).WithHint("it looks like 127.0.0.1:4410")
	}
	if !loopback(host) {
		return fault.New(fault.Invalid, "--control %q is not an address of this machine alone", addr).
			WithHint("it has no TLS: listen on 127.0.0.1; from elsewhere a node is asked at its console, over https")
	}
	return nil
}

// checkListenAddr judges an address to serve on without binding it.
func checkListenAddr(flag, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "%s %q", flag, addr).WithHint("it looks like 127.0.0.1:8080")
	}
	return nil
}

// controlToken reads the token, or makes one that only this user can read.
func controlToken(file string) (string, error) {
	src, err := os.ReadFile(file)
	if err == nil && len(strings.TrimSpace(string(src))) > 0 {
		return strings.TrimSpace(string(src)), nil
	}
	token := "fazt_" + rand.Text()
	return token, writePrivate(file, []byte(token+"\n"))
}

func controlServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       75 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Run serves until ctx ends, then lets commands in flight finish.
func (c *control) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	go func() { failed <- c.server[0].Serve(c.socket) }()
	go func() { failed <- c.server[1].Serve(c.tcp) }()
	var err error
	waiting := 2
	select {
	case <-ctx.Done():
	case err = <-failed:
		waiting--
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, s := range c.server {
		if s.Shutdown(end) != nil {
			s.Close()
		}
	}
	for range waiting {
		<-failed
	}
	os.Remove(filepath.Join(c.runDir, "control"))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close gives the listeners back when the node does not come to run.
func (c *control) Close() error { return errors.Join(c.socket.Close(), c.tcp.Close()) }

// Addr is the loopback address.
func (c *control) Addr() string { return c.tcp.Addr().String() }

// controlMux is what a control listener answers.
func (n *node) controlMux(access func(*http.Request) (op.Caller, error), log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", n.operations(access, log))
	mux.HandleFunc("GET /{$}", n.reasonPage)
	mux.Handle("GET /metrics", guarded(access, http.HandlerFunc(n.metrics)))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if !n.edge.Ready() {
			http.Error(w, "nothing is published yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// operations serves the table to those whom access lets in.
func (n *node) operations(access func(*http.Request) (op.Caller, error), log *slog.Logger) http.Handler {
	return op.NewHandler(n.table, op.HandlerConfig{Access: access, Audit: n.audit, TempDir: n.ground.Temp, Version: version, Log: log})
}

// ofThisMachine answers where a request names this machine itself. A name of somebody
// else's that leads here is a page's that wants to be taken for us (DNS rebinding).
func ofThisMachine(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !loopback(strings.Trim(host, "[]")) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			http.Error(w, "this address has no such name; ask for it by 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// loopback tells whether a host is this machine alone.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// guarded lets those in who may look at the node.
func guarded(access func(*http.Request) (op.Caller, error), h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := access(r)
		if err == nil && caller.May != nil {
			err = caller.May(op.Observe)
		}
		if err != nil {
			http.Error(w, err.Error(), fault.KindOf(err).Status())
			return
		}
		h.ServeHTTP(w, r)
	})
}

// uidKey carries the user id behind a socket connection.
type uidKey struct{}

func withPeerUID(ctx context.Context, c net.Conn) context.Context {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return ctx
	}
	raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			ctx = context.WithValue(ctx, uidKey{}, cred.Uid)
		}
	})
	return ctx
}

// socketAccess names who the kernel says is at the other end. The socket's
// mode already kept everybody else out.
func socketAccess(r *http.Request) (op.Caller, error) {
	uid, ok := r.Context().Value(uidKey{}).(uint32)
	if !ok {
		return op.Caller{}, fault.New(fault.Unauthenticated, "the socket does not say who is calling")
	}
	return op.Caller{Actor: "local:" + strconv.FormatUint(uint64(uid), 10)}, nil
}

// tokenAccess lets the holder of the node's token in. Digests are compared, so
// the time says nothing about the length either.
func tokenAccess(token string) func(*http.Request) (op.Caller, error) {
	want := sha256.Sum256([]byte(token))
	return func(r *http.Request) (op.Caller, error) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(given))
		if !ok || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return op.Caller{}, fault.New(fault.Unauthenticated, "the token is missing or wrong").
				WithHint("the node keeps it in STATE/run/token; give it to: fazt peer add NAME URL --token-file FILE")
		}
		return op.Caller{Actor: "token:control"}, nil
	}
}
