package source

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshRemote runs git-upload-pack on the other machine, as git does. The host
// key must be known beforehand.
type sshRemote struct {
	at     address
	ref    string
	creds  Credentials
	limits Limits
}

// hostPort is where to dial.
func (r *sshRemote) hostPort() string {
	if _, _, err := net.SplitHostPort(r.at.host); err == nil {
		return r.at.host
	}
	return net.JoinHostPort(strings.Trim(r.at.host, "[]"), "22")
}

func (r *sshRemote) close() {}

func (r *sshRemote) connect(ctx context.Context) (session, error) {
	s, err := r.start(ctx)
	if err != nil {
		return nil, remoteFault(ctx, r.at, err)
	}
	if s.found, err = readAdvert(s.out, r.ref); err != nil {
		err = s.explain(ctx, err)
	} else {
		err = s.found.chosen(r.at, r.ref)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// start signs in and starts the other side.
func (r *sshRemote) start(ctx context.Context) (*sshSession, error) {
	config, done, err := r.config()
	if err != nil {
		return nil, err
	}
	defer done()
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", r.hostPort())
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	s := &sshSession{sshRemote: r, stop: stop}
	if err := s.open(conn, config); err != nil {
		stop()
		conn.Close()
		return nil, r.signInFault(err)
	}
	return s, nil
}

// config returns how to sign in; done is called once signed in or not.
func (r *sshRemote) config() (config *ssh.ClientConfig, done func(), err error) {
	auth, done, err := r.keys()
	if err != nil {
		return nil, nil, err
	}
	known, err := r.knownHosts()
	if err != nil {
		done()
		return nil, nil, err
	}
	return &ssh.ClientConfig{
		User:              r.at.user,
		Auth:              []ssh.AuthMethod{auth},
		HostKeyCallback:   known.HostKeyCallback(),
		HostKeyAlgorithms: known.HostKeyAlgorithms(r.hostPort()),
		Timeout:           10 * time.Second,
	}, done, nil
}

func (r *sshRemote) keys() (ssh.AuthMethod, func(), error) {
	if r.creds.KeyFile != "" {
		signer, err := keyFile(r.creds.KeyFile)
		return ssh.PublicKeys(signer), func() {}, err
	}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, nil, unauthenticated(r.at, "there is no ssh agent and no key file is configured",
			"name a key file that may read the repository, or start fazt with an ssh agent")
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Unavailable, err, "the ssh agent does not answer")
	}
	return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), func() { conn.Close() }, nil
}

func keyFile(path string) (ssh.Signer, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Unauthenticated, err, "the key file cannot be read")
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, fault.New(fault.Unauthenticated, "the key file %q has a passphrase", path).
			WithHint("use the ssh agent, or a key of its own without passphrase that may only read")
	}
	if err != nil {
		return nil, fault.New(fault.Unauthenticated, "the key file %q holds no private key", path)
	}
	return signer, nil
}

// hostKeys is what the library's data base of known hosts offers.
type hostKeys interface {
	HostKeyCallback() ssh.HostKeyCallback
	HostKeyAlgorithms(hostWithPort string) []string
}

func (r *sshRemote) knownHosts() (hostKeys, error) {
	files := []string{r.creds.KnownHosts}
	if r.creds.KnownHosts == "" {
		files = []string{homeFile(".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"}
	}
	known, err := gitssh.NewKnownHostsDb(files...)
	if err != nil {
		return nil, fault.New(fault.Forbidden, "no file of known ssh hosts: %s", strings.Join(files, ", ")).
			WithHint("%s", r.scanHint())
	}
	return known, nil
}

func (r *sshRemote) scanHint() string {
	host, port, _ := net.SplitHostPort(r.hostPort())
	return "compare the host key with what its owner publishes, then: ssh-keyscan -p " + port + " " + host + " >> ~/.ssh/known_hosts"
}

// signInFault names the two things that go wrong between the connection and
// the conversation: the host's key and ours.
func (r *sshRemote) signInFault(err error) error {
	var key *knownhosts.KeyError
	var exit *ssh.ExitError
	switch {
	case errors.As(err, &key) && len(key.Want) > 0:
		return fault.New(fault.Forbidden, "the ssh host key of %s is not the known one", r.at.host).
			WithSubject(r.at.String()).WithHint("somebody may be in between; if the host changed its key, replace it in the file of known hosts")
	case errors.As(err, &key):
		return fault.New(fault.Forbidden, "the ssh host key of %s is not known", r.at.host).
			WithSubject(r.at.String()).WithHint("%s", r.scanHint())
	case strings.Contains(err.Error(), "unable to authenticate"):
		return unauthenticated(r.at, "no key is accepted", "add the public key to the repository as a read-only deploy key")
	case errors.As(err, &exit):
		return unreachable(r.at, "the server refuses "+uploadPack, err)
	default:
		return err
	}
}

// sshSession is a running git-upload-pack.
type sshSession struct {
	*sshRemote
	stop   func() bool
	client *ssh.Client
	run    *ssh.Session
	in     io.WriteCloser
	out    io.Reader
	errors lastWords
	found  *advert
	asked  bool
}

func (s *sshSession) open(conn net.Conn, config *ssh.ClientConfig) error {
	// The configured timeout covers dialling only: a silent server would hang.
	conn.SetDeadline(time.Now().Add(config.Timeout))
	c, channels, requests, err := ssh.NewClientConn(conn, s.hostPort(), config)
	if err != nil {
		return err
	}
	conn.SetDeadline(time.Time{})
	s.client = ssh.NewClient(c, channels, requests)
	if s.run, err = s.client.NewSession(); err != nil {
		return err
	}
	if s.in, err = s.run.StdinPipe(); err != nil {
		return err
	}
	if s.out, err = s.run.StdoutPipe(); err != nil {
		return err
	}
	s.run.Stderr = &s.errors
	return s.run.Start(uploadPack + " " + shellQuote(s.at.path))
}

// shellQuote quotes as git does, for the server's shell.
func shellQuote(s string) string {
	return "'" + strings.NewReplacer(`'`, `'\''`, `!`, `'\!'`).Replace(s) + "'"
}

func (s *sshSession) head() plumbing.Hash      { return s.found.id }
func (s *sshSession) shallow() []plumbing.Hash { return s.found.shallow }
func (s *sshSession) canCut() bool             { return s.found.canCut() }

func (s *sshSession) fetch(ctx context.Context, into *store, o order) (delivery, error) {
	body, err := s.found.request(o)
	if err != nil {
		return delivery{}, err
	}
	s.asked = true
	_, err = s.in.Write(body)
	if err = errors.Join(err, s.in.Close()); err != nil {
		return delivery{}, s.explain(ctx, err)
	}
	paced, pace := newPace(ctx)
	defer context.AfterFunc(paced, func() { s.client.Close() })()
	d, err := s.found.receive(paced, pace, s.out, into, o, s.limits)
	return d, s.explain(ctx, pace.end(paced, s.at, err))
}

// explain prefers what the other side said on its way out.
func (s *sshSession) explain(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.awaitEnd(ctx)
	}
	said := printable(s.errors.String(), 300)
	if err == nil || said == "" || ctx.Err() != nil || fault.KindOf(err) != fault.Internal {
		return remoteFault(ctx, s.at, err)
	}
	return unreachable(s.at, "it says: "+said, err)
}

// awaitEnd waits until everything was read that the other side wrote: its last
// words come beside the end of its answer, in no order.
func (s *sshSession) awaitEnd(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		_ = s.run.Wait() // how it ended is in what it said
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	case <-time.After(time.Second): // it closed its answer and lives on
	}
}

// Close says goodbye if nothing was asked, and ends the connection.
func (s *sshSession) Close() error {
	s.stop()
	if !s.asked {
		_, _ = s.in.Write([]byte("0000")) // or the server logs a hang-up
	}
	return s.client.Close()
}

// lastWords keeps the beginning of what is written to it. The ssh library
// writes from a goroutine of its own.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := 4096 - len(l.text); room > 0 {
		l.text = append(l.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
