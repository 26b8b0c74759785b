package web

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strconv"
)

func keyOperations(ops map[string]Function) {
	ops["key.private"] = func(args []any) (any, error) {
		key, err := privateKey(args, 0)
		if err != nil {
			return nil, err
		}
		return described(key)
	}
	ops["key.public"] = func(args []any) (any, error) {
		key, err := publicKey(args, 0)
		if err != nil {
			return nil, err
		}
		return described(key)
	}
	ops["key.other"] = publicOf
	ops["key.raw"] = rawOf
	ops["key.fromRaw"] = fromRaw
	ops["jwk.read"] = func(args []any) (any, error) { return readJWK([]byte(text(args, 0))) }
	ops["jwk.write"] = writeJWK
}

func pkcs8(key any) (any, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, operation(err)
	}
	return encoded(der), nil
}

func spki(key any) (any, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, operation(err)
	}
	return encoded(der), nil
}

// described tells the prelude what a key is: the name of its curve, or "RSA"; its
// DER form; and for RSA the bits of the modulus and the exponent in base64.
func described(key any) ([]any, error) {
	der, err := formOf(key)
	if err != nil {
		return nil, err
	}
	if pub, ok := rsaPart(key); ok {
		if pub.N.BitLen() > 2*maxRSA {
			return nil, named{"DataError", "the RSA key has more than 8192 bits"}
		}
		return []any{"RSA", der, strconv.Itoa(pub.N.BitLen()), encoded(big.NewInt(int64(pub.E)).Bytes())}, nil
	}
	name := curveName(key)
	if name == "" {
		return nil, named{"DataError", "the key is of no supported kind"}
	}
	return []any{name, der}, nil
}

func formOf(key any) (any, error) {
	switch key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, *ecdh.PrivateKey:
		return pkcs8(key)
	}
	return spki(key)
}

func rsaPart(key any) (*rsa.PublicKey, bool) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return &k.PublicKey, true
	case *rsa.PublicKey:
		return k, true
	}
	return nil, false
}

func curveName(key any) string {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		return k.Params().Name
	case *ecdsa.PublicKey:
		return k.Params().Name
	case ed25519.PrivateKey, ed25519.PublicKey:
		return "Ed25519"
	case *ecdh.PrivateKey:
		return exchangeName(k.Curve())
	case *ecdh.PublicKey:
		return exchangeName(k.Curve())
	}
	return ""
}

func exchangeName(c ecdh.Curve) string {
	if c == ecdh.X25519() {
		return "X25519"
	}
	return ""
}

// publicOf returns the public key that belongs to a private one.
func publicOf(args []any) (any, error) {
	key, err := privateKey(args, 0)
	if err != nil {
		return nil, err
	}
	pub, err := publicPart(key)
	if err != nil {
		return nil, err
	}
	return spki(pub)
}

func publicPart(key any) (any, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return &k.PublicKey, nil
	case *ecdsa.PrivateKey:
		return &k.PublicKey, nil
	case ed25519.PrivateKey:
		return k.Public(), nil
	case *ecdh.PrivateKey:
		return k.PublicKey(), nil
	}
	return nil, named{"DataError", "the key is of no supported kind"}
}

// rawOf returns a public key on a curve as its point.
func rawOf(args []any) (any, error) {
	key, err := publicKey(args, 0)
	if err != nil {
		return nil, err
	}
	b, err := point(key)
	return encoded(b), err
}

func point(key any) ([]byte, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return k.Bytes()
	case ed25519.PublicKey:
		return k, nil
	case *ecdh.PublicKey:
		return k.Bytes(), nil
	}
	return nil, named{"NotSupportedError", "the key has no raw form"}
}

// fromRaw takes the name of a curve and a point, and describes the public key.
func fromRaw(args []any) (any, error) {
	b, err := data(args, 1)
	if err != nil {
		return nil, err
	}
	key, err := fromPoint(text(args, 0), b)
	if err != nil {
		return nil, err
	}
	return described(key)
}

func fromPoint(curve string, b []byte) (any, error) {
	wrong := named{"DataError", "the key is no point of " + curve}
	switch curve {
	case "Ed25519":
		if len(b) != ed25519.PublicKeySize {
			return nil, wrong
		}
		return ed25519.PublicKey(b), nil
	case "X25519":
		key, err := ecdh.X25519().NewPublicKey(b)
		if err != nil {
			return nil, wrong
		}
		return key, nil
	}
	c, err := curveOf(curve)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseUncompressedPublicKey(c, b)
	if err != nil {
		return nil, wrong
	}
	return key, nil
}
