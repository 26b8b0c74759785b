//go:build integration

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// TestIntegrationAbuseOldTLS (E16): versions before 1.2 get no handshake, and
// neither does a name that no app has.
func TestIntegrationAbuseOldTLS(t *testing.T) {
	t.Parallel()
	s := besiege(t, behindTLS, "", 0, tlsToo()...)
	before := s.counts()
	for name, change := range map[string]func(*tls.Config){
		"TLS 1.0":         func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 },
		"TLS 1.1":         func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		"an unknown name": func(c *tls.Config) { c.ServerName = "nobody.test" },
		"CBC": func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		},
	} {
		config := s.tls.Clone()
		change(config)
		c := tls.Client(s.dial(callerAt(1, 1), s.secure), config)
		if err := c.Handshake(); err == nil {
			t.Errorf("%s: a handshake", name)
		}
		c.Close()
	}
	s.eventually("four handshakes refused", func(c counts) bool { return c.refused("handshake")-before.refused("handshake") == 4 })
	s.settles(before)
}

// TestIntegrationAbuseKeyUpdates (E16): a connection that changes its key
// without end and says nothing else is closed. No library sends such, so the
// records are made here, from what the client logs of its keys.
func TestIntegrationAbuseKeyUpdates(t *testing.T) {
	t.Parallel()
	const n = 1000
	s := besiege(t, behindTLS, "", 0, tlsToo()...)
	before := s.counts()
	var keys strings.Builder
	config := s.tls.Clone()
	config.KeyLogWriter, config.MinVersion = &keys, tls.VersionTLS13
	raw := s.dial(callerAt(1, 1), s.secure)
	c := tls.Client(raw, config)
	must(t, c.Handshake())
	if c.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("the cipher suite is another one than the records here are made for")
	}
	secret := clientSecret(t, keys.String())
	writing := make(chan int, 1)
	go func() {
		sent := 0
		for err := error(nil); sent < n && err == nil; sent++ {
			_, err = raw.Write(sealed(t, secret, []byte{24, 0, 0, 1, 0, 22})) // key_update, not asked for in return
			secret = expandLabel(t, secret, "traffic upd", sha256.Size)
		}
		writing <- sent
	}()
	began := time.Now()
	if how, _ := endOf(raw); how == endOther || time.Since(began) >= patience {
		t.Errorf("the connection was not closed: %d", how)
	}
	t.Logf("closed after at most %d of %d key updates", <-writing, n)
	s.settles(before)
}

// clientSecret finds the secret of what the client sends in a key log.
func clientSecret(t *testing.T, log string) []byte {
	t.Helper()
	for line := range strings.Lines(log) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(fields[2])
			must(t, err)
			return secret
		}
	}
	t.Fatalf("no secret in %q", log)
	return nil
}

// expandLabel is HKDF-Expand-Label of RFC 8446, section 7.1, without a context.
func expandLabel(t *testing.T, secret []byte, label string, length int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(length))
	info = append(append(append(info, byte(len(label))), label...), 0)
	out, err := hkdf.Expand(sha256.New, secret, string(info), length)
	must(t, err)
	return out
}

// sealed is the first record under a secret.
func sealed(t *testing.T, secret, inner []byte) []byte {
	block, err := aes.NewCipher(expandLabel(t, secret, "key", 16))
	must(t, err)
	aead, err := cipher.NewGCM(block)
	must(t, err)
	head := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(inner)+aead.Overhead()))
	return aead.Seal(head, expandLabel(t, secret, "iv", 12), inner, head)
}
