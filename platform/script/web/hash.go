package web

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

const (
	// maxHashes is how many hashes of node:crypto a machine may have begun.
	maxHashes = 256
	// maxRounds bounds what one call of PBKDF2 computes, in rounds of its hash. The
	// engine cannot interrupt Go: this many take about half a second.
	maxRounds = 2_000_000
	// maxDerived is the most bytes that one derivation gives.
	maxDerived = 1 << 20
)

// hashOf is the constructor of a hash by its name in the Web Cryptography API. MD5
// is there for node:crypto, where old protocols ask for it.
func hashOf(name string) (func() hash.Hash, error) {
	switch name {
	case "SHA-1":
		return sha1.New, nil
	case "SHA-256":
		return sha256.New, nil
	case "SHA-384":
		return sha512.New384, nil
	case "SHA-512":
		return sha512.New, nil
	case "MD5":
		return md5.New, nil
	}
	return nil, named{"NotSupportedError", "there is no hash " + name}
}

func hashOperations(ops map[string]Function) {
	ops["digest"] = digest
	ops["hmac"] = sign
	ops["hmac.verify"] = verify
	ops["equal"] = func(args []any) (any, error) {
		return hmac.Equal([]byte(text(args, 0)), []byte(text(args, 1))), nil
	}
	ops["hkdf"] = derive
	ops["pbkdf2"] = stretch
	h := &hashes{open: map[int]hash.Hash{}}
	ops["hash.open"] = h.begin
	ops["hash.push"] = h.push
	ops["hash.sum"] = h.sum
	ops["hash.close"] = func(args []any) (any, error) {
		delete(h.open, number(args, 0))
		return nil, nil
	}
}

func digest(args []any) (any, error) {
	h, err := hashOf(text(args, 0))
	if err != nil {
		return nil, err
	}
	b, err := data(args, 1)
	if err != nil {
		return nil, err
	}
	sum := h()
	sum.Write(b)
	return encoded(sum.Sum(nil)), nil
}

// mac takes the name of a hash, a key and data.
func mac(args []any) ([]byte, error) {
	h, err := hashOf(text(args, 0))
	if err != nil {
		return nil, err
	}
	key, err := data(args, 1)
	if err != nil {
		return nil, err
	}
	b, err := data(args, 2)
	if err != nil {
		return nil, err
	}
	m := hmac.New(h, key)
	m.Write(b)
	return m.Sum(nil), nil
}

func sign(args []any) (any, error) {
	m, err := mac(args)
	return encoded(m), err
}

func verify(args []any) (any, error) {
	m, err := mac(args)
	if err != nil {
		return nil, err
	}
	signature, err := data(args, 3)
	return hmac.Equal(m, signature), err
}

// derive is HKDF: hash, key, salt, info, number of bytes.
func derive(args []any) (any, error) {
	h, key, salt, err := keyed(args)
	if err != nil {
		return nil, err
	}
	info, err := data(args, 3)
	if err != nil {
		return nil, err
	}
	n := number(args, 4)
	if n > 255*h().Size() {
		return nil, named{"OperationError", "HKDF gives at most 255 times the length of its hash"}
	}
	b, err := hkdf.Key(h, key, salt, string(info), n)
	if err != nil {
		return nil, operation(err)
	}
	return encoded(b), nil
}

// stretch is PBKDF2: hash, password, salt, iterations, number of bytes.
func stretch(args []any) (any, error) {
	h, password, salt, err := keyed(args)
	if err != nil {
		return nil, err
	}
	iterations, n := number(args, 3), number(args, 4)
	blocks := (n + h().Size() - 1) / h().Size()
	if iterations < 1 || n < 0 || n > maxDerived {
		return nil, named{"OperationError", "PBKDF2 needs at least one iteration and gives at most 1 MiB"}
	}
	if iterations > maxRounds/max(blocks, 1) {
		return nil, named{"OperationError", "PBKDF2 may compute 2000000 rounds at a time"}
	}
	if n == 0 {
		return "", nil
	}
	b, err := pbkdf2.Key(h, string(password), salt, iterations, n)
	if err != nil {
		return nil, operation(err)
	}
	return encoded(b), nil
}

func keyed(args []any) (func() hash.Hash, []byte, []byte, error) {
	h, err := hashOf(text(args, 0))
	if err != nil {
		return nil, nil, nil, err
	}
	key, err := data(args, 1)
	if err != nil {
		return nil, nil, nil, err
	}
	salt, err := data(args, 2)
	return h, key, salt, err
}

// hashes are those that node:crypto has begun and not finished.
type hashes struct {
	open map[int]hash.Hash
	last int
}

// begin takes the name of a hash and, for an HMAC, a key.
func (h *hashes) begin(args []any) (any, error) {
	if len(h.open) >= maxHashes {
		return nil, named{"QuotaExceededError", "too many hashes have been begun and not finished"}
	}
	fresh, err := hashOf(text(args, 0))
	if err != nil {
		return nil, err
	}
	h.last++
	h.open[h.last] = fresh()
	if given(args, 1) {
		key, err := data(args, 1)
		if err != nil {
			return nil, err
		}
		h.open[h.last] = hmac.New(fresh, key)
	}
	return h.last, nil
}

func (h *hashes) push(args []any) (any, error) {
	b, err := data(args, 1)
	if err != nil {
		return nil, err
	}
	sum, ok := h.open[number(args, 0)]
	if !ok {
		return nil, named{"Error", "the digest has been taken already"}
	}
	sum.Write(b)
	return nil, nil
}

func (h *hashes) sum(args []any) (any, error) {
	sum, ok := h.open[number(args, 0)]
	if !ok {
		return nil, named{"Error", "the digest has been taken already"}
	}
	delete(h.open, number(args, 0))
	return encoded(sum.Sum(nil)), nil
}
