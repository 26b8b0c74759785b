//go:build integration

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/edge/cert"
	"github.com/fazt-sh/fazt/edge/gate"
	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/identity"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/sqlite"
	"github.com/fazt-sh/fazt/spec"
)

// TestIntegrationElsewhere runs the scripts as somebody elsewhere: through the door of
// a console over TLS, whose own CA is pinned, with a token of its owner. The scripts'
// own nodes may have no console, so the door is one of its own and hands on what it
// lets in; what comes out is the same. A third of the scripts, or with
// FAZT_ELSEWHERE=all each.
func TestIntegrationElsewhere(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	scripts = slices.DeleteFunc(scripts, withoutNode(t))
	if os.Getenv("FAZT_ELSEWHERE") != "all" {
		scripts = third(scripts, 0)
	}
	var let atomic.Int64
	t.Cleanup(func() { // the scripts are done then
		if let.Load() == 0 {
			t.Error("nobody came through the door")
		}
	})
	runScripts(t, scripts, true, func(e *testscript.Env) error {
		d, err := openDoor(e.WorkDir+"/.door", &let)
		if err != nil {
			return err
		}
		e.Defer(d.close)
		return setupScript(e, true, "", d.stand)
	})
}

// door is a console before a node.
type door struct {
	peer   peer
	node   atomic.Pointer[peer]
	let    *atomic.Int64 // requests that were let in
	closes []func()      // in the order of their making
}

func openDoor(dir string, let *atomic.Int64) (d *door, err error) {
	d = &door{let: let}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	blobs, err := blob.Open(filepath.Join(dir, "blob"))
	if err != nil {
		return nil, err
	}
	people, err := d.openPeople(dir)
	if err != nil {
		return nil, err
	}
	certs := cert.New(cert.Config{Dir: filepath.Join(dir, "cert")})
	if err := certs.Open(); err != nil {
		return nil, err
	}
	d.closes = append(d.closes, func() { _ = certs.Close() })
	server := edge.New(edge.Config{Blobs: blobs, Certs: certs, Gate: gate.New(gate.Config{People: people}), API: http.HandlerFunc(d.pass)})
	staged, err := server.Stage(context.Background(), edge.Desired{Revision: "r1", Objects: []spec.Object{
		declared(spec.KindEdge, "edge", "edge", spec.Edge{Domain: "localhost", Console: "localhost", TLS: spec.TLS{Mode: spec.TLSInternal}}),
		declared(spec.KindRole, "role.owner", "owner", spec.Role{Members: []string{"jo@example.com"}}),
		declared(spec.KindLimits, "limits", "limits", spec.Limits{RequestsPerIP: spec.Rate{Rate: 1e6, Burst: 1e6}}),
	}})
	if err != nil {
		return nil, err
	}
	staged.Publish(1)
	if err := server.Open(nil, []string{"127.0.0.1:0"}); err != nil {
		return nil, err
	}
	for _, run := range []func(context.Context) error{certs.Run, server.Run} {
		life := start(context.Background(), run)
		d.closes = append(d.closes, func() { _ = life.stop() })
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if list := certs.List(); len(list) == 1 && list[0].State == cert.OK {
			break
		}
		if time.Now().After(end) {
			return nil, errors.New("the door has no certificate")
		}
	}
	_, port, _ := net.SplitHostPort(server.Addrs()[0].String())
	d.peer.URL, d.peer.Pin = "https://localhost:"+port, pinOfPEM(certs.CA())
	return d, nil
}

func declared(kind spec.Kind, addr spec.Addr, name string, block any) spec.Object {
	text, _ := json.Marshal(block)
	digest, _ := spec.Digest(kind, text)
	return spec.Object{Addr: addr, Kind: kind, Name: name, Spec: text, Digest: digest}
}

// openPeople has the owner, with a token for everything.
func (d *door) openPeople(dir string) (*identity.Directory, error) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(dir, "door.db"), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	d.closes = append(d.closes, func() { _ = db.Close() })
	people, err := identity.Open(ctx, identity.Config{DB: db, Key: filepath.Join(dir, identity.KeyFile), Clock: time.Now})
	if err != nil {
		return nil, err
	}
	jo, err := people.Recognise(ctx, identity.Claim{Issuer: "test", Subject: "jo", Email: "jo@example.com", Verified: true}, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	d.peer.token, _, err = people.CreateToken(ctx, identity.NewToken{Person: jo.ID, Name: "door", Scopes: permissionsOf(1<<len(op.Permissions()) - 1)})
	return people, err
}

// stand has the door lead to a node, and is the door as a peer.
func (d *door) stand(to peer) peer {
	d.node.Store(&to)
	through := d.peer
	through.Name = to.Name
	return through
}

// pass hands on what whoever may everything asks.
func (d *door) pass(w http.ResponseWriter, r *http.Request) {
	who, err := edge.OperatorFrom(r.Context())
	to := d.node.Load()
	if err != nil || !who.View.Owner() || to == nil {
		http.Error(w, "nobody is let in", fault.KindOf(err).Status())
		return
	}
	target, err := url.Parse(to.URL)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d.let.Add(1)
	proxy := httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.Header.Set("Authorization", "Bearer "+to.token)
	}}
	proxy.ServeHTTP(w, r)
}

func (d *door) close() {
	for _, end := range slices.Backward(d.closes) {
		end()
	}
}
