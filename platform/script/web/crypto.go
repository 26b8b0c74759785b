package web

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
)

// Keys of the Web Cryptography API are kept by the prelude in one form each: bytes
// for a secret, PKCS #8 for a private and SPKI for a public key, both DER. So nothing
// of a key stays on this side between two calls.

func cryptoOperations(ops map[string]Function) {
	aesOperations(ops)
	rsaOperations(ops)
	keyOperations(ops)
	ops["ec.generate"] = generateEC
	ops["ecdsa.sign"] = signECDSA
	ops["ecdsa.verify"] = verifyECDSA
	ops["ed25519.sign"] = signEd25519
	ops["ed25519.verify"] = verifyEd25519
	ops["ecdh"] = agree
}

// curveOf is a curve of ECDSA by its name in the Web Cryptography API.
func curveOf(name string) (elliptic.Curve, error) {
	switch name {
	case "P-256":
		return elliptic.P256(), nil
	case "P-384":
		return elliptic.P384(), nil
	case "P-521":
		return elliptic.P521(), nil
	}
	return nil, named{"NotSupportedError", "there is no curve " + name}
}

// maxKey bounds what is parsed as a key: RSA of 8192 bits takes 4.7 KB, and Go checks
// that the numbers of a private key fit before anybody can ask how long they are.
const maxKey = 8 << 10

// privateKey reads argument i, base64 of PKCS #8.
func privateKey(args []any, i int) (any, error) {
	der, err := data(args, i)
	if err != nil {
		return nil, err
	}
	if len(der) > maxKey {
		return nil, named{"DataError", "the private key is too long"}
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, named{"DataError", "the private key is damaged or of no supported kind"}
	}
	return key, nil
}

// publicKey reads argument i, base64 of SPKI.
func publicKey(args []any, i int) (any, error) {
	der, err := data(args, i)
	if err != nil {
		return nil, err
	}
	if len(der) > maxKey {
		return nil, named{"DataError", "the public key is too long"}
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, named{"DataError", "the public key is damaged or of no supported kind"}
	}
	return key, nil
}

// generateEC takes the name of a curve and returns a private key.
func generateEC(args []any) (any, error) {
	var key any
	var err error
	switch name := text(args, 0); name {
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "X25519":
		key, err = ecdh.X25519().GenerateKey(rand.Reader)
	default:
		var curve elliptic.Curve
		if curve, err = curveOf(name); err != nil {
			return nil, err
		}
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	}
	if err != nil {
		return nil, operation(err)
	}
	return pkcs8(key)
}

// digested hashes argument i for a signature and says which hash it was.
func digested(name string, args []any, i int) (crypto.Hash, []byte, error) {
	h, err := hashOf(name)
	if err != nil {
		return 0, nil, err
	}
	b, err := data(args, i)
	if err != nil {
		return 0, nil, err
	}
	sum := h()
	sum.Write(b)
	return map[string]crypto.Hash{"SHA-1": crypto.SHA1, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}[name], sum.Sum(nil), nil
}

// signECDSA takes a hash, a private key and data; the signature is r and s, each
// as long as the order of the curve.
func signECDSA(args []any) (any, error) {
	key, err := privateKey(args, 1)
	if err != nil {
		return nil, err
	}
	priv, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, named{"InvalidAccessError", "the key is none of ECDSA"}
	}
	_, sum, err := digested(text(args, 0), args, 2)
	if err != nil {
		return nil, err
	}
	r, s, err := ecdsa.Sign(rand.Reader, priv, sum)
	if err != nil {
		return nil, operation(err)
	}
	n := (priv.Params().N.BitLen() + 7) / 8
	out := make([]byte, 2*n)
	r.FillBytes(out[:n])
	s.FillBytes(out[n:])
	return encoded(out), nil
}

// verifyECDSA takes a hash, a public key, data and a signature.
func verifyECDSA(args []any) (any, error) {
	key, err := publicKey(args, 1)
	if err != nil {
		return nil, err
	}
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, named{"InvalidAccessError", "the key is none of ECDSA"}
	}
	_, sum, err := digested(text(args, 0), args, 2)
	if err != nil {
		return nil, err
	}
	signature, err := data(args, 3)
	n := (pub.Params().N.BitLen() + 7) / 8
	if err != nil || len(signature) != 2*n {
		return false, err
	}
	return ecdsa.Verify(pub, sum, new(big.Int).SetBytes(signature[:n]), new(big.Int).SetBytes(signature[n:])), nil
}

func signEd25519(args []any) (any, error) {
	key, err := privateKey(args, 0)
	if err != nil {
		return nil, err
	}
	priv, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, named{"InvalidAccessError", "the key is none of Ed25519"}
	}
	b, err := data(args, 1)
	return encoded(ed25519.Sign(priv, b)), err
}

func verifyEd25519(args []any) (any, error) {
	key, err := publicKey(args, 0)
	if err != nil {
		return nil, err
	}
	pub, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, named{"InvalidAccessError", "the key is none of Ed25519"}
	}
	b, err := data(args, 1)
	if err != nil {
		return nil, err
	}
	signature, err := data(args, 2)
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(pub, b, signature), err
}

// agree is ECDH and X25519: a private and a public key make a secret.
func agree(args []any) (any, error) {
	priv, err := privateKey(args, 0)
	if err != nil {
		return nil, err
	}
	pub, err := publicKey(args, 1)
	if err != nil {
		return nil, err
	}
	mine, err := exchangePrivate(priv)
	if err != nil {
		return nil, err
	}
	theirs, err := exchangePublic(pub)
	if err != nil {
		return nil, err
	}
	secret, err := mine.ECDH(theirs)
	if err != nil {
		return nil, named{"OperationError", "the keys agree on no secret"}
	}
	return encoded(secret), nil
}

func exchangePrivate(key any) (*ecdh.PrivateKey, error) {
	switch k := key.(type) {
	case *ecdh.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k.ECDH()
	}
	return nil, named{"InvalidAccessError", "the key is for no exchange"}
}

func exchangePublic(key any) (*ecdh.PublicKey, error) {
	switch k := key.(type) {
	case *ecdh.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		return k.ECDH()
	}
	return nil, named{"InvalidAccessError", "the key is for no exchange"}
}
