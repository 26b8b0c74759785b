package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// KeyFile is what a node calls its key file in its state folder.
const KeyFile = "people.key"

// key is the node's secret: tickets are sealed with it, and what is too short to
// be kept as a plain hash is kept under it.
type key [32]byte

type digest [sha256.Size]byte

// openKey reads the key file, and makes one if there is none.
func openKey(path string) (key, error) {
	k, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	rand.Read(k[:])
	if err := writeKey(path, k); err != nil {
		return key{}, fault.Wrap(fault.Unavailable, err, "make the key file %q", path)
	}
	return readKey(path)
}

func readKey(path string) (k key, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err != nil {
		return k, fault.Wrap(fault.Unavailable, err, "read the key file %q", path)
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
		return k, fault.New(fault.Forbidden, "the key file %q is open to others (%s)", path, mode).WithSubject(path).WithHint("chmod 600 %s", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return k, fault.Wrap(fault.Unavailable, err, "read the key file %q", path)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(k) {
		return k, fault.New(fault.Invalid, "the key file %q holds no key", path).WithSubject(path).
			WithHint("put back the one from a backup; without it, remove the file: people sign in again and set up their second factors again")
	}
	return key(raw), nil
}

// writeKey makes the file whole or not at all. The state folder has one owner,
// so nobody else makes it meanwhile.
func writeKey(path string, k key) error {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(hex.EncodeToString(k[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// derive returns a key for one purpose.
func (k key) derive(salt []byte, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, k[:], salt, "fazt people "+purpose, 32)
}

// mac is the hash of texts that could be guessed from a plain one.
func (k key) mac(purpose string, texts ...string) []byte {
	m := hmac.New(sha256.New, k[:])
	for _, t := range append([]string{purpose}, texts...) {
		n := len(t)
		m.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		m.Write([]byte(t))
	}
	return m.Sum(nil)
}

// newID names a row. It is no secret.
func newID() string {
	var raw [16]byte
	rand.Read(raw[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:]))
}

// bearer is the form of a token: 32 random bytes.
const bearerLen = 43

func newBearer() (text string, hash digest) {
	var raw [32]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:]), sha256.Sum256(raw[:])
}

// hashBearer returns what is kept of a token, and false for a text that cannot
// be one. It allocates nothing.
func hashBearer(text string) (hash digest, ok bool) {
	if len(text) != bearerLen {
		return hash, false
	}
	var buf [bearerLen]byte
	var raw [33]byte
	copy(buf[:], text)
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], buf[:])
	if err != nil || n != 32 {
		return hash, false
	}
	return sha256.Sum256(raw[:32]), true
}
