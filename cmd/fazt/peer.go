package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
)

// peer is another node that commands may be sent to.
type peer struct {
	Name  string `json:"name"`
	URL   string `json:"url"`
	Pin   string `json:"pin,omitempty"` // of the key that its certificate leads to; empty: whom this machine trusts
	token string
}

// peerBook is this person's peers: names, addresses and pins in the configuration
// folder, tokens apart in the state folder, which only they can read.
type peerBook struct{ config, state string }

var peerName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`) })

// reservedPeers mean something else: this machine, every peer, the CI pair of
// environment variables.
func reservedPeers() []string { return []string{"local", "all", "ci"} }

func (b peerBook) list() ([]peer, error) {
	var peers []peer
	if err := readJSONFile(filepath.Join(b.config, "peers.json"), &peers); err != nil {
		return nil, err
	}
	slices.SortFunc(peers, func(x, y peer) int { return strings.Compare(x.Name, y.Name) })
	return peers, nil
}

func (b peerBook) find(name string) (peer, error) {
	peers, err := b.list()
	if err != nil {
		return peer{}, err
	}
	i := slices.IndexFunc(peers, func(p peer) bool { return p.Name == name })
	if i < 0 {
		return peer{}, fault.New(fault.NotFound, "there is no peer %q", name).WithHint("%s", knownPeers(peers))
	}
	tokens, err := b.tokens()
	if err != nil {
		return peer{}, err
	}
	peers[i].token = tokens[name]
	return peers[i], nil
}

func knownPeers(peers []peer) string {
	if len(peers) == 0 {
		return "add one: fazt peer add NAME URL"
	}
	names := make([]string, len(peers))
	for i, p := range peers {
		names[i] = "@" + p.Name
	}
	return "known peers: " + strings.Join(names, ", ")
}

// tokens refuses a file that others can read: a token there is no secret.
func (b peerBook) tokens() (map[string]string, error) {
	tokens := map[string]string{}
	file := filepath.Join(b.state, "tokens.json")
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Forbidden, "%s can be read by others (mode %04o)", file, info.Mode().Perm()).
			WithHint("chmod 600 %s, and make new tokens if the machine is shared", file)
	}
	return tokens, readJSONFile(file, &tokens)
}

func (b peerBook) save(peers []peer, tokens map[string]string) error {
	if err := writeJSONFile(filepath.Join(b.state, "tokens.json"), tokens); err != nil {
		return err
	}
	return writeJSONFile(filepath.Join(b.config, "peers.json"), peers)
}

// checkPeerURL accepts plain HTTP to this machine alone: the token would
// travel in the clear.
func checkPeerURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fault.New(fault.Invalid, "%q is not the address of a node", raw).WithHint("it looks like https://fazt.example.com, or http://127.0.0.1:4410 on its own machine")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return fault.New(fault.Invalid, "%q would send the token over the network in the clear", raw).
			WithHint("use https and the address of its console; or an address of this machine, for instance the end of an ssh tunnel: ssh -L 4410:127.0.0.1:4410 host")
	}
	return nil
}

type peerAddIn struct {
	Name      string   `arg:"" help:"what to call it: fazt @NAME ..." json:"name"`
	URL       string   `arg:"" name:"url" help:"address of its console, or of its control listener" json:"url"`
	TokenFile string   `name:"token-file" placeholder:"FILE" help:"file that holds the token, or - for standard input; without it, somebody lets this machine in by a code" json:"token_file"`
	Scope     []string `placeholder:"PERMISSION" help:"what the token of a code is for, instead of observe, plan and deploy; may be repeated" json:"scope"`
	Pin       string   `placeholder:"sha256:..." help:"key that its certificate must lead to, where no public authority vouches for it: fazt cert list prints it on the node" json:"pin"`
	NoCheck   bool     `name:"no-check" help:"write it down without asking whether it is there and takes the token" json:"no_check"`
}

type peersOut struct {
	Peers []peer `json:"peers"`
}

// WriteText shows the peers as a table.
func (o peersOut) WriteText(w *op.Screen) error {
	if len(o.Peers) == 0 {
		w.Printf("no peers; add one: fazt peer add NAME URL\n")
		return nil
	}
	var rows [][]string
	for _, p := range o.Peers {
		rows = append(rows, []string{"@" + p.Name, p.URL})
	}
	return w.Table([]op.Column{{Name: "PEER"}, {Name: "URL"}}, rows)
}

type noIn struct{}

type peerNameIn struct {
	Name string `arg:"" help:"name of the peer" json:"name"`
}

func (p *program) peerOps() []op.Op {
	return []op.Op{
		op.New(op.Row{
			Name: "peer add", Group: groupPeers, Summary: "remember another node under a name", Effect: op.Change, Offline: true, Local: true, Since: "0.1.0",
			Detail: "Given the address of a node's console, it shows a code, and waits until somebody who is signed in there lets this machine in; the token acts as them, for what --scope names and they may themselves. " +
				"A control listener has no sign-in: the node prints its address at start and keeps the token in STATE/run/token. " +
				"The node is asked once, so that a wrong address or token is told at once.",
			Examples: []op.Example{{Command: "peer add prod https://fazt.example.com"}, {Command: "peer add prod http://127.0.0.1:4410 --token-file prod.token"}},
		}, p.peerAdd),
		op.New(op.Row{
			Name: "peer list", Group: groupPeers, Summary: "list the nodes you can name with @", Effect: op.Read, Offline: true, Local: true, Since: "0.1.0",
		}, func(context.Context, noIn) (peersOut, error) {
			peers, err := p.peers().list()
			return peersOut{Peers: append([]peer{}, peers...)}, err
		}),
		op.New(op.Row{
			Name: "peer remove", Group: groupPeers, Summary: "forget a node and its token", Effect: op.Change, Offline: true, Local: true, Since: "0.1.0",
			Examples: []op.Example{{Command: "peer remove prod"}},
		}, p.peerRemove),
	}
}

func (p *program) peerAdd(ctx context.Context, in peerAddIn) (peersOut, error) {
	if !peerName().MatchString(in.Name) || slices.Contains(reservedPeers(), in.Name) {
		return peersOut{}, fault.New(fault.Invalid, "%q cannot name a peer", in.Name).
			WithHint("use lower-case letters, digits and dashes, and not %s", strings.Join(reservedPeers(), ", "))
	}
	if err := cmp.Or(checkPeerURL(in.URL), checkPin(in.Pin)); err != nil {
		return peersOut{}, err
	}
	added := peer{Name: in.Name, URL: strings.TrimSuffix(in.URL, "/"), Pin: in.Pin}
	if _, err := p.peers().without(added); err != nil { // before anybody is asked
		return peersOut{}, err
	}
	if old, err := p.peers().find(added.Name); err == nil && added.Pin == "" {
		added.Pin = old.Pin
	}
	token, err := p.tokenOf(ctx, added, in)
	if err != nil {
		return peersOut{}, err
	}
	if added.token = token; !in.NoCheck {
		if _, err := p.reach(added).Listing(ctx); err != nil {
			return peersOut{}, err
		}
	}
	peers, err := p.peers().without(added)
	if err != nil {
		return peersOut{}, err
	}
	tokens, err := p.peers().tokens()
	if err != nil {
		return peersOut{}, err
	}
	if tokens[in.Name] = token; token == "" {
		delete(tokens, in.Name)
	}
	return peersOut{Peers: []peer{added}}, p.peers().save(append(peers, added), tokens)
}

// without are the peers but the one that is added: the same address again renews its
// token, and another one is a conflict.
func (b peerBook) without(added peer) ([]peer, error) {
	peers, err := b.list()
	i := slices.IndexFunc(peers, func(x peer) bool { return x.Name == added.Name })
	if err != nil || i < 0 {
		return peers, err
	}
	if peers[i].URL != added.URL {
		return nil, fault.New(fault.Conflict, "the peer %q exists already, with the address %s", added.Name, peers[i].URL).
			WithHint("remove it first: fazt peer remove %s", added.Name)
	}
	return slices.Delete(peers, i, i+1), nil
}

// scopesOfPeer are what a peer's token is for where nobody says: to look, to plan and
// to deploy. Who wants more says so, as the person is asked for it.
func scopesOfPeer() []string {
	return []string{string(op.Observe), string(op.Plan), string(op.Deploy)}
}

// tokenOf is what opens a peer: what a file has, or what somebody gives by a code.
// A control listener, which has no TLS, has no codes.
func (p *program) tokenOf(ctx context.Context, added peer, in peerAddIn) (string, error) {
	switch {
	case in.TokenFile != "" || !strings.HasPrefix(added.URL, "https://"):
		return p.readToken(in.TokenFile)
	case len(in.Scope) == 0:
		in.Scope = scopesOfPeer()
	}
	return p.deviceOf(added.URL, added.transport()).token(ctx, deviceName(), in.Scope)
}

func (p *program) peerRemove(_ context.Context, in peerNameIn) (peersOut, error) {
	if _, err := p.peers().find(in.Name); err != nil {
		return peersOut{}, err
	}
	peers, err := p.peers().list()
	if err != nil {
		return peersOut{}, err
	}
	tokens, err := p.peers().tokens()
	if err != nil {
		return peersOut{}, err
	}
	delete(tokens, in.Name)
	peers = slices.DeleteFunc(peers, func(x peer) bool { return x.Name == in.Name })
	return peersOut{Peers: append([]peer{}, peers...)}, p.peers().save(peers, tokens)
}

func (p *program) readToken(file string) (string, error) {
	var src []byte
	var err error
	switch file {
	case "":
		return "", nil
	case "-":
		src, err = io.ReadAll(io.LimitReader(p.stdin, 4096))
	default:
		src, err = os.ReadFile(p.path(file))
	}
	if err != nil {
		return "", fault.Wrap(fault.NotFound, err, "read the token")
	}
	return strings.TrimSpace(string(src)), nil
}

// readJSONFile leaves v as it is when the file does not exist.
func readJSONFile(name string, v any) error {
	src, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "read")
	}
	if err := json.Unmarshal(src, v); err != nil {
		return fault.Wrap(fault.Invalid, err, "%s is damaged", name).WithHint("repair or remove it")
	}
	return nil
}

// writeJSONFile replaces a private file whole, so a crash leaves the old one.
func writeJSONFile(name string, v any) error {
	src, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(name, append(src, '\n'))
}

func writePrivate(name string, src []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fault.Wrap(fault.Unavailable, err, "make folder")
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".new-*") // made with mode 0600
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "write")
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(src)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fault.Wrap(fault.Unavailable, err, "write %s", name)
	}
	return os.Rename(tmp.Name(), name)
}
