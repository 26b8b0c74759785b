package web

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
)

// jwk is the part of a JSON Web Key that is the key itself (RFC 7518, section 6,
// and RFC 8037). What it may be used for is the prelude's matter.
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	D   string `json:"d,omitempty"`
	P   string `json:"p,omitempty"`
	Q   string `json:"q,omitempty"`
	DP  string `json:"dp,omitempty"`
	DQ  string `json:"dq,omitempty"`
	QI  string `json:"qi,omitempty"`
	Oth any    `json:"oth,omitempty"`
}

func part64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unpart64(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || s == "" {
		return nil, named{"DataError", "a member of the JSON Web Key is missing or no base64url"}
	}
	if len(b) > 2*maxRSA/8 {
		return nil, named{"DataError", "a member of the JSON Web Key is too long"}
	}
	return b, nil
}

// readJWK describes the key, with "private" or "public" before it.
func readJWK(raw []byte) (any, error) {
	var k jwk
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, named{"DataError", "the JSON Web Key cannot be read"}
	}
	key, err := k.key()
	if err != nil {
		return nil, err
	}
	about, err := described(key)
	if err != nil {
		return nil, err
	}
	kind := "public"
	if k.D != "" {
		kind = "private"
	}
	return append([]any{kind}, about...), nil
}

func (k jwk) key() (any, error) {
	switch k.Kty {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.ec()
	case "OKP":
		return k.okp()
	}
	return nil, named{"DataError", "the JSON Web Key is of no supported kind"}
}

func (k jwk) rsa() (any, error) {
	if k.Oth != nil {
		return nil, named{"NotSupportedError", "RSA keys of more than two primes are not supported"}
	}
	n, err := unpart64(k.N)
	if err != nil {
		return nil, err
	}
	e, err := unpart64(k.E)
	if err != nil || len(e) > 4 {
		return nil, named{"DataError", "the exponent of the RSA key is damaged"}
	}
	pub := rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if k.D == "" {
		return &pub, nil
	}
	priv := &rsa.PrivateKey{PublicKey: pub}
	var numbers [3]*big.Int
	for i, s := range []string{k.D, k.P, k.Q} {
		b, err := unpart64(s)
		if err != nil {
			return nil, err
		}
		numbers[i] = new(big.Int).SetBytes(b)
	}
	priv.D, priv.Primes = numbers[0], numbers[1:]
	if err := priv.Validate(); err != nil {
		return nil, named{"DataError", "the members of the RSA key do not fit together"}
	}
	priv.Precompute()
	return priv, nil
}

func (k jwk) ec() (any, error) {
	curve, err := curveOf(k.Crv)
	if err != nil {
		return nil, named{"DataError", "the JSON Web Key names no supported curve"}
	}
	x, err := unpart64(k.X)
	if err != nil {
		return nil, err
	}
	y, err := unpart64(k.Y)
	if err != nil {
		return nil, err
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, named{"DataError", "the JSON Web Key is no point of " + k.Crv}
	}
	if k.D == "" {
		return pub, nil
	}
	d, err := unpart64(k.D)
	if err != nil {
		return nil, err
	}
	priv, err := ecdsa.ParseRawPrivateKey(curve, d)
	if err != nil || !priv.PublicKey.Equal(pub) {
		return nil, named{"DataError", "the members of the JSON Web Key do not fit together"}
	}
	return priv, nil
}

func (k jwk) okp() (any, error) {
	x, err := unpart64(k.X)
	if err != nil {
		return nil, err
	}
	pub, err := fromPoint(k.Crv, x)
	if err != nil || (k.Crv != "Ed25519" && k.Crv != "X25519") {
		return nil, named{"DataError", "the JSON Web Key names no supported curve"}
	}
	if k.D == "" {
		return pub, nil
	}
	d, err := unpart64(k.D)
	if err != nil || len(d) != 32 {
		return nil, named{"DataError", "the private part of the JSON Web Key is damaged"}
	}
	return okpPrivate(k.Crv, d, pub)
}

func okpPrivate(curve string, d []byte, pub any) (any, error) {
	unfit := named{"DataError", "the members of the JSON Web Key do not fit together"}
	if curve == "Ed25519" {
		priv := ed25519.NewKeyFromSeed(d)
		if !pub.(ed25519.PublicKey).Equal(priv.Public()) {
			return nil, unfit
		}
		return priv, nil
	}
	priv, err := ecdh.X25519().NewPrivateKey(d)
	if err != nil || !priv.PublicKey().Equal(pub.(*ecdh.PublicKey)) {
		return nil, unfit
	}
	return priv, nil
}

// writeJWK takes "private" or "public" and a key, and returns JSON.
func writeJWK(args []any) (any, error) {
	read := publicKey
	if text(args, 0) == "private" {
		read = privateKey
	}
	key, err := read(args, 1)
	if err != nil {
		return nil, err
	}
	k, err := jwkOf(key)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(k)
	return string(raw), err
}

func jwkOf(key any) (jwk, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return jwk{Kty: "RSA", N: part64(k.N.Bytes()), E: part64(big.NewInt(int64(k.E)).Bytes())}, nil
	case *rsa.PrivateKey:
		out, err := jwkOf(&k.PublicKey)
		out.D, out.P, out.Q = part64(k.D.Bytes()), part64(k.Primes[0].Bytes()), part64(k.Primes[1].Bytes())
		k.Precompute()
		out.DP, out.DQ, out.QI = part64(k.Precomputed.Dp.Bytes()), part64(k.Precomputed.Dq.Bytes()), part64(k.Precomputed.Qinv.Bytes())
		return out, err
	case *ecdsa.PublicKey:
		b, err := k.Bytes()
		n := len(b) / 2
		return jwk{Kty: "EC", Crv: k.Params().Name, X: part64(b[1 : 1+n]), Y: part64(b[1+n:])}, err
	case *ecdsa.PrivateKey:
		out, err := jwkOf(&k.PublicKey)
		if err != nil {
			return out, err
		}
		d, err := k.Bytes()
		out.D = part64(d)
		return out, err
	case ed25519.PublicKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: part64(k)}, nil
	case ed25519.PrivateKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: part64(k[32:]), D: part64(k.Seed())}, nil
	case *ecdh.PublicKey:
		return jwk{Kty: "OKP", Crv: "X25519", X: part64(k.Bytes())}, nil
	case *ecdh.PrivateKey:
		return jwk{Kty: "OKP", Crv: "X25519", X: part64(k.PublicKey().Bytes()), D: part64(k.Bytes())}, nil
	}
	return jwk{}, named{"NotSupportedError", "the key has no form as JSON Web Key"}
}
