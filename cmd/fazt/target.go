package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/reconcile/source"
)

// client picks who answers a command: the named peer, this machine's node, or
// for an offline command this very process. All three speak the same encoded
// protocol.
func (p *program) client(ctx context.Context, row op.Row, target string) (*op.Client, error) {
	switch {
	case target == "ci":
		return p.ciPeer(ctx)
	case target != "" && target != "local":
		found, err := p.peers().find(target)
		if err != nil {
			return nil, err
		}
		return p.reach(found), nil
	case row.Offline && !comparesWithNode(row) && target == "":
		return p.inProcess(table(nil, p.log())), nil
	}
	state, err := p.stateDir()
	if err != nil {
		return nil, err
	}
	conn, err := platform.DialUnix(ctx, platform.RunFolder(state), socketName)
	switch {
	case err == nil:
		return p.opening(&op.Client{HTTP: nodeSocket(state, conn), Peer: "the node of " + state, Socket: filepath.Join(platform.RunFolder(state), socketName)}), nil
	case row.Offline && target == "":
		return p.inProcess(table(nil, p.log())), nil
	}
	if ctx.Err() != nil {
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "the node of %s did not answer in time", state)
	}
	return nil, p.noNode(state, err)
}

// inProcess answers from a table in this process, over the encoded path.
func (p *program) inProcess(t op.Table) *op.Client {
	return p.opening(&op.Client{HTTP: op.Pipe(op.NewHandler(t, op.HandlerConfig{Version: version, Log: p.log(), Reveal: true}))})
}

// opening lets a client read the folders and files that the caller named.
func (p *program) opening(c *op.Client) *op.Client {
	c.OpenTree = func(name string) (fs.FS, error) { return source.OpenFolder(p.path(name)) }
	c.OpenFile = func(name string) ([]byte, error) { return os.ReadFile(p.path(name)) }
	c.OpenLarge = p.openLarge
	return c
}

// comparesWithNode names the one offline command that means this machine's
// node when there is one. The others judge text, and should answer with the
// version that was called.
func comparesWithNode(row op.Row) bool { return row.Name == "plan" }

func (p *program) noNode(state string, cause error) error {
	if errors.Is(cause, os.ErrPermission) {
		return fault.Wrap(fault.Forbidden, cause, "the node of %s belongs to somebody else", state).
			WithHint("run the command as the user who runs the node, or use @peer")
	}
	hint := "start one with `fazt serve`, or name another: fazt @PEER ..."
	if peers, err := p.peers().list(); err == nil && len(peers) > 0 {
		hint += "; " + knownPeers(peers)
	}
	return fault.New(fault.Unavailable, "no node is running here (%s)", state).WithHint("%s", hint)
}

// ciPeer is the peer that continuous integration names by its environment.
func (p *program) ciPeer(ctx context.Context) (*op.Client, error) {
	url, token, pin := p.getenv("FAZT_URL"), p.getenv("FAZT_TOKEN"), p.getenv("FAZT_PIN")
	if url == "" {
		return nil, fault.New(fault.NotFound, "@ci has no address").WithHint("set FAZT_URL, and FAZT_TOKEN_FILE where no workload block lets this job in")
	}
	if err := cmp.Or(checkPeerURL(url), checkPin(pin)); err != nil {
		return nil, err
	}
	if file := p.getenv("FAZT_TOKEN_FILE"); file != "" {
		var err error
		if token, err = p.readToken(file); err != nil {
			return nil, err
		}
	}
	if url = strings.TrimSuffix(url, "/"); token == "" && strings.HasPrefix(url, "https://") {
		var err error
		if token, err = p.jobToken(ctx, url); err != nil {
			return nil, err
		}
	}
	return p.reach(peer{Name: "ci", URL: url, Pin: pin, token: token}), nil
}

// reach is a client of a peer.
func (p *program) reach(to peer) *op.Client {
	return p.opening(&op.Client{HTTP: to.transport(), BaseURL: to.URL, Token: to.token, Peer: to.Name})
}

// nodeSocket uses the connection that proved the node is there first.
func nodeSocket(state string, first net.Conn) http.RoundTripper {
	conns := make(chan net.Conn, 1)
	conns <- first
	return op.Socket(func(ctx context.Context) (net.Conn, error) {
		select {
		case c := <-conns:
			return c, nil
		default:
			return platform.DialUnix(ctx, platform.RunFolder(state), socketName)
		}
	})
}
