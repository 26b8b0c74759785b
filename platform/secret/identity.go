package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/fazt-sh/fazt/platform/fault"
)

// FileName is what a node calls its identity file in its state folder.
const FileName = "identity.txt"

// mostIdentity is how many bytes of an identity file are read: a key has 74.
const mostIdentity = 64 << 10

// Identity is the private keys that open envelopes: a node's own, or somebody's.
// It does not print them.
type Identity struct {
	keys        []age.Identity
	recipient   string
	fingerprint []byte
}

// Open reads the identity file at path, and makes one with a new X25519 key if
// there is none: 0600, whole or not at all. Made tells which. For errors see Load.
func Open(path string) (id *Identity, made bool, err error) {
	id, err = Load(path)
	if fault.KindOf(err) != fault.NotFound {
		return id, false, err
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, false, err
	}
	text := fmt.Sprintf("# The private key of this node: it opens the secrets that were sealed to\n# %s\n%s\n", key.Recipient(), key)
	switch err := writeNew(path, text); {
	case errors.Is(err, fs.ErrExist): // somebody was faster
	case err != nil:
		return nil, false, fault.Wrap(fault.Unavailable, err, "make the identity file %q", path)
	default:
		made = true
	}
	id, err = Load(path)
	return id, made, err
}

// writeNew makes a file that is not there yet.
func writeNew(path, text string) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	// A rename would take the place of another's; not every file system has links.
	if err := os.Link(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		return err
	} else if err != nil {
		if err := os.Rename(temp.Name(), path); err != nil {
			return err
		}
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Load reads an identity file: lines of private keys as age-keygen writes them,
// the first of which is the one to seal to. The error's kind is NotFound if there
// is no such file, Forbidden if others may read it, Invalid if it holds no key.
func Load(path string) (*Identity, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no identity file %q", path).WithSubject(path).WithHint("make one, with fazt secret key, or name another")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "read the identity file")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "read the identity file")
	}
	// The group may read, as systemd hands its credentials over like that.
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o027 != 0 {
		return nil, fault.New(fault.Forbidden, "the identity file %q may be read by others (%s)", path, mode).WithSubject(path).WithHint("chmod 600 %s", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, mostIdentity))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "read the identity file")
	}
	return parseIdentity(path, text)
}

func parseIdentity(path string, text []byte) (*Identity, error) {
	keys, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the identity file %q holds no key", path).WithSubject(path).
			WithHint("it has a line that begins with AGE-SECRET-KEY-1, as age-keygen writes it")
	}
	id := &Identity{keys: keys}
	var private string
	switch first := keys[0].(type) {
	case *age.X25519Identity:
		id.recipient, private = first.Recipient().String(), first.String()
	case *age.HybridIdentity:
		id.recipient, private = first.Recipient().String(), first.String()
	default:
		return nil, fault.New(fault.Invalid, "the identity file %q holds a key of an unknown kind", path).WithSubject(path)
	}
	id.fingerprint, err = hkdf.Key(sha256.New, []byte(private), nil, "fazt secret fingerprint", sha256.Size)
	return id, err
}

// Join is one identity with the keys of several; the first is the one to seal to.
// Of none it is nil, which opens nothing.
func Join(ids ...*Identity) *Identity {
	if len(ids) == 0 {
		return nil
	}
	all := &Identity{recipient: ids[0].recipient, fingerprint: ids[0].fingerprint}
	for _, id := range ids {
		all.keys = append(all.keys, id.keys...)
	}
	return all
}

// Recipient is the public half of the first key: what others seal to.
func (id *Identity) Recipient() string { return id.recipient }

// Fingerprint is the same text for the same value at the same address, as long as
// the first key is the same. So a plan can tell a new envelope from a new value,
// and whoever has only fingerprints can guess neither.
func (id *Identity) Fingerprint(addr string, v Value) string {
	mac := hmac.New(sha256.New, id.fingerprint)
	fmt.Fprintf(mac, "%d:%s", len(addr), addr)
	io.WriteString(mac, v.Reveal())
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// String names the identity by what is public.
func (id Identity) String() string { return "identity of " + id.recipient }

// Format keeps the keys from every verb.
func (id Identity) Format(s fmt.State, _ rune) { io.WriteString(s, id.String()) }
