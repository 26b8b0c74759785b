package source_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/source"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshServer is an ssh server that knows one key and runs git-upload-pack.
type sshServer struct {
	address    string
	host       ssh.Signer
	clientKey  string // file
	clientOnly ssh.PublicKey
}

func newKey(t testing.TB) (ssh.Signer, []byte) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block)
}

func serveSSH(t testing.TB, further ...ssh.Signer) *sshServer {
	t.Helper()
	client, text := newKey(t)
	s := &sshServer{clientKey: filepath.Join(t.TempDir(), "id"), clientOnly: client.PublicKey()}
	if err := os.WriteFile(s.clientKey, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.host, _ = newKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(s.clientOnly.Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil
	}}
	config.AddHostKey(s.host)
	for _, key := range further {
		config.AddHostKey(key)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s.address = listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveConn(conn, config)
		}
	}()
	return s
}

func serveConn(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go func() {
			for request := range requests {
				ok := request.Type == "exec"
				_ = request.Reply(ok, nil)
				if ok {
					go runUploadPack(channel, request.Payload)
				}
			}
		}()
	}
}

func runUploadPack(channel ssh.Channel, payload []byte) {
	defer channel.Close()
	var wanted struct{ Command string }
	if ssh.Unmarshal(payload, &wanted) != nil || !strings.HasPrefix(wanted.Command, "git-upload-pack ") {
		return
	}
	cmd := exec.Command("sh", "-c", wanted.Command)
	cmd.Env, cmd.Stdout, cmd.Stderr = gitEnv(), channel, channel.Stderr()
	in, err := cmd.StdinPipe() // not Stdin: Run would wait for the client to hang up
	if err != nil {
		return
	}
	go func() {
		defer in.Close()
		_, _ = io.Copy(in, channel)
	}()
	status := struct{ Status uint32 }{}
	if err := cmd.Run(); err != nil {
		status.Status = 128
	}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
}

// knownHosts writes a file of known hosts that names a key for the server.
func (s *sshServer) knownHosts(t testing.TB, key ssh.PublicKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	line := knownhosts.Line([]string{knownhosts.Normalize(s.address)}, key)
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *sshServer) config(t testing.TB, o *origin) source.GitConfig {
	return source.GitConfig{URL: "ssh://git@" + s.address + o.dir, Dir: mirrorDir(t),
		Credentials: source.Credentials{KeyFile: s.clientKey, KnownHosts: s.knownHosts(t, s.host.PublicKey())}}
}

func TestSSHChecksBothKeys(t *testing.T) {
	o := newOrigin(t)
	o.commit("first", map[string]string{"a.txt": "a"})
	s := serveSSH(t)
	other, text := newKey(t)

	c := s.config(t, o)
	c.Credentials.KnownHosts = s.knownHosts(t, other.PublicKey())
	_, err := openGit(t, c).Fetch(t.Context(), "")
	wantFault(t, err, fault.Forbidden, "host key", "not the known one")

	c = s.config(t, o)
	c.Credentials.KnownHosts = filepath.Join(t.TempDir(), "known_hosts")
	writeFiles(t, filepath.Dir(c.Credentials.KnownHosts), map[string]string{"known_hosts": "# nobody\n"})
	_, err = openGit(t, c).Fetch(t.Context(), "")
	wantFault(t, err, fault.Forbidden, "is not known", "ssh-keyscan")

	c = s.config(t, o)
	c.Credentials.KeyFile = filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(c.Credentials.KeyFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openGit(t, c).Fetch(t.Context(), "")
	wantFault(t, err, fault.Unauthenticated, "no key is accepted", "deploy key")
}

func TestSSHSaysWhatTheServerSays(t *testing.T) {
	o := newOrigin(t)
	c := serveSSH(t).config(t, &origin{t, filepath.Join(o.dir, "nowhere")})
	_, err := openGit(t, c).Fetch(t.Context(), "")
	wantFault(t, err, fault.Unavailable, "not appear to be a git repository")
}

func TestSSHWithoutAnyKey(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	o := newOrigin(t)
	c := serveSSH(t).config(t, o)
	c.Credentials.KeyFile = ""
	_, err := openGit(t, c).Fetch(t.Context(), "")
	wantFault(t, err, fault.Unauthenticated, "no ssh agent", "key file")
}

// A server may have several host keys. The one that is known is asked for, so
// that a better liked one is not taken for a stranger's.
func TestSSHAsksForTheKnownHostKey(t *testing.T) {
	o := newOrigin(t)
	id := o.commit("first", map[string]string{"a.txt": "a"})
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	s := serveSSH(t, other)
	for _, known := range []ssh.PublicKey{s.host.PublicKey(), other.PublicKey()} {
		c := s.config(t, o)
		c.Credentials.KnownHosts = s.knownHosts(t, known)
		if a := mustFetch(t, openGit(t, c), ""); a.Revision != id {
			t.Errorf("%s", a.Revision)
		}
	}
}
