package web

import (
	"crypto/rand"
	"crypto/rsa"
	"hash"
)

// maxRSA bounds the length of RSA keys: a key of 4096 bits takes about a second to
// find, one of 8192 a minute, and the engine cannot interrupt Go.
const maxRSA = 4096

func rsaOperations(ops map[string]Function) {
	ops["rsa.generate"] = generateRSA
	ops["rsa.sign"] = signRSA
	ops["rsa.verify"] = verifyRSA
	ops["rsa.encrypt"] = encryptRSA
	ops["rsa.decrypt"] = decryptRSA
}

// generateRSA takes a number of bits and returns a private key with the exponent
// 65537.
func generateRSA(args []any) (any, error) {
	bits := number(args, 0)
	if bits < 1024 || bits > maxRSA {
		return nil, named{"OperationError", "RSA keys here have 1024 to 4096 bits"}
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, operation(err)
	}
	return pkcs8(key)
}

func rsaPrivate(args []any, i int) (*rsa.PrivateKey, error) {
	key, err := privateKey(args, i)
	if err != nil {
		return nil, err
	}
	priv, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, named{"InvalidAccessError", "the key is none of RSA"}
	}
	return priv, nil
}

func rsaPublic(args []any, i int) (*rsa.PublicKey, error) {
	key, err := publicKey(args, i)
	if err != nil {
		return nil, err
	}
	pub, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, named{"InvalidAccessError", "the key is none of RSA"}
	}
	return pub, nil
}

// signRSA takes a hash, a private key, data, and the length of the salt: -1 is
// PKCS #1 v1.5, everything else PSS.
func signRSA(args []any) (any, error) {
	priv, err := rsaPrivate(args, 1)
	if err != nil {
		return nil, err
	}
	h, sum, err := digested(text(args, 0), args, 2)
	if err != nil {
		return nil, err
	}
	var signature []byte
	switch salt := number(args, 3); {
	case salt < 0:
		signature, err = rsa.SignPKCS1v15(rand.Reader, priv, h, sum)
	case salt == 0: // Go reads it as "choose one"
		return nil, named{"NotSupportedError", "RSA-PSS here needs a salt: use the length of the hash"}
	default:
		signature, err = rsa.SignPSS(rand.Reader, priv, h, sum, &rsa.PSSOptions{SaltLength: salt, Hash: h})
	}
	if err != nil {
		return nil, operation(err)
	}
	return encoded(signature), nil
}

// verifyRSA takes a hash, a public key, data, the length of the salt and a
// signature.
func verifyRSA(args []any) (any, error) {
	pub, err := rsaPublic(args, 1)
	if err != nil {
		return nil, err
	}
	h, sum, err := digested(text(args, 0), args, 2)
	if err != nil {
		return nil, err
	}
	signature, err := data(args, 4)
	if err != nil {
		return nil, err
	}
	if salt := number(args, 3); salt < 0 {
		err = rsa.VerifyPKCS1v15(pub, h, sum, signature)
	} else {
		err = rsa.VerifyPSS(pub, h, sum, signature, &rsa.PSSOptions{SaltLength: salt, Hash: h})
	}
	return err == nil, nil
}

// encryptRSA is OAEP: hash, public key, data, label.
func encryptRSA(args []any) (any, error) {
	pub, err := rsaPublic(args, 1)
	if err != nil {
		return nil, err
	}
	h, plain, label, err := oaep(args)
	if err != nil {
		return nil, err
	}
	out, err := rsa.EncryptOAEP(h(), rand.Reader, pub, plain, label)
	if err != nil {
		return nil, operation(err)
	}
	return encoded(out), nil
}

// decryptRSA is OAEP: hash, private key, data, label.
func decryptRSA(args []any) (any, error) {
	priv, err := rsaPrivate(args, 1)
	if err != nil {
		return nil, err
	}
	h, sealed, label, err := oaep(args)
	if err != nil {
		return nil, err
	}
	out, err := rsa.DecryptOAEP(h(), rand.Reader, priv, sealed, label)
	if err != nil {
		return nil, named{"OperationError", "the data could not be decrypted"}
	}
	return encoded(out), nil
}

func oaep(args []any) (func() hash.Hash, []byte, []byte, error) {
	h, err := hashOf(text(args, 0))
	if err != nil {
		return nil, nil, nil, err
	}
	b, err := data(args, 2)
	if err != nil {
		return nil, nil, nil, err
	}
	label, err := data(args, 3)
	return h, b, label, err
}
