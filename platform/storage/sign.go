package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Sign returns a signature that lets its bearer do one thing to one file until a
// time, which is part of it. It is bound to this store and user; the key behind it
// is the app's own and is not kept anywhere else.
func (f *Files) Sign(method, key string, expires time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, f.mac(method, key, b)...))
}

// Verify checks a signature against what is about to be done. The error's kind is
// Forbidden if it was given for something else, or if its time is over.
func (f *Files) Verify(method, key, signature string) error {
	const stamp = 8
	b, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || len(b) != stamp+sha256.Size || !hmac.Equal(b[stamp:], f.mac(method, key, b[:stamp])) {
		return fault.New(fault.Forbidden, "the signature does not fit %s of this file", excerpt([]byte(method)))
	}
	if time.Now().Unix() >= int64(binary.BigEndian.Uint64(b)) {
		return fault.New(fault.Forbidden, "the signature has expired").WithHint("ask for a new link")
	}
	return nil
}

func (f *Files) mac(method, key string, stamp []byte) []byte {
	m := hmac.New(sha256.New, f.secret)
	for _, s := range []string{"fazt file 1", f.name, f.owner, method, key, string(stamp)} {
		m.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) // so that no two lists read the same
		m.Write([]byte(s))
	}
	return m.Sum(nil)
}
