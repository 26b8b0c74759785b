package web

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
)

func aesOperations(ops map[string]Function) {
	for name, f := range map[string]func(cipher.Block, cipherCall) ([]byte, error){
		"gcm.encrypt": sealGCM, "gcm.decrypt": openGCM,
		"cbc.encrypt": encryptCBC, "cbc.decrypt": decryptCBC,
		"ctr": xorCTR,
		"kw":  wrapKey, "kw.unwrap": unwrapKey,
	} {
		ops[name] = func(args []any) (any, error) { return runCipher(f, args) }
	}
}

// cipherCall is what every mode is called with; not all use all of it.
type cipherCall struct {
	data, iv, extra []byte
	bits            int // of the tag, or of the counter
}

// runCipher takes a key, data, an initial vector, additional data and a number of
// bits.
func runCipher(f func(cipher.Block, cipherCall) ([]byte, error), args []any) (any, error) {
	var parts [4][]byte
	for i := range parts {
		b, err := data(args, i)
		if err != nil {
			return nil, err
		}
		parts[i] = b
	}
	block, err := aes.NewCipher(parts[0])
	if err != nil {
		return nil, operation(err)
	}
	out, err := f(block, cipherCall{data: parts[1], iv: parts[2], extra: parts[3], bits: number(args, 4)})
	return encoded(out), err
}

// gcm is the mode with a tag of so many bits. Go has other lengths of the vector
// with the full tag only, and no tag below 96 bits, which nobody should use.
func gcm(block cipher.Block, c cipherCall) (cipher.AEAD, error) {
	var aead cipher.AEAD
	var err error
	switch {
	case len(c.iv) == 12:
		aead, err = cipher.NewGCMWithTagSize(block, c.bits/8)
	case c.bits == 128 && len(c.iv) > 0:
		aead, err = cipher.NewGCMWithNonceSize(block, len(c.iv))
	default:
		return nil, named{"NotSupportedError", "AES-GCM with a vector that has not 96 bits needs a tag of 128 bits"}
	}
	if err != nil {
		return nil, named{"NotSupportedError", "AES-GCM here has tags of 96 to 128 bits"}
	}
	return aead, nil
}

func sealGCM(block cipher.Block, c cipherCall) ([]byte, error) {
	aead, err := gcm(block, c)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, c.iv, c.data, c.extra), nil
}

func openGCM(block cipher.Block, c cipherCall) ([]byte, error) {
	aead, err := gcm(block, c)
	if err != nil {
		return nil, err
	}
	out, err := aead.Open(nil, c.iv, c.data, c.extra)
	if err != nil {
		return nil, named{"OperationError", "the data could not be decrypted"}
	}
	return out, nil
}

func encryptCBC(block cipher.Block, c cipherCall) ([]byte, error) {
	n := aes.BlockSize - len(c.data)%aes.BlockSize
	out := append(bytes.Clone(c.data), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, c.iv).CryptBlocks(out, out)
	return out, nil
}

func decryptCBC(block cipher.Block, c cipherCall) ([]byte, error) {
	failed := named{"OperationError", "the data could not be decrypted"}
	if len(c.data) == 0 || len(c.data)%aes.BlockSize != 0 {
		return nil, failed
	}
	out := make([]byte, len(c.data))
	cipher.NewCBCDecrypter(block, c.iv).CryptBlocks(out, c.data)
	n := int(out[len(out)-1])
	if n == 0 || n > aes.BlockSize || !bytes.Equal(out[len(out)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, failed
	}
	return out[:len(out)-n], nil
}

// xorCTR counts in the last c.bits of the vector alone, as the Web Cryptography API
// has it; Go counts in all of it, so that a counter that overflows makes two runs.
func xorCTR(block cipher.Block, c cipherCall) ([]byte, error) {
	period := new(big.Int).Lsh(big.NewInt(1), uint(c.bits))
	counter := new(big.Int).SetBytes(c.iv)
	low := new(big.Int).Mod(counter, period)
	left := new(big.Int).Sub(period, low) // blocks until it overflows
	blocks := big.NewInt(int64((len(c.data) + aes.BlockSize - 1) / aes.BlockSize))
	if blocks.Cmp(period) > 0 {
		return nil, named{"OperationError", "the counter is too short for the data"}
	}
	out := make([]byte, len(c.data))
	if blocks.Cmp(left) <= 0 {
		cipher.NewCTR(block, c.iv).XORKeyStream(out, c.data)
		return out, nil
	}
	n := int(left.Int64()) * aes.BlockSize
	cipher.NewCTR(block, c.iv).XORKeyStream(out[:n], c.data[:n])
	again := counter.Sub(counter, low).FillBytes(make([]byte, aes.BlockSize))
	cipher.NewCTR(block, again).XORKeyStream(out[n:], c.data[n:])
	return out, nil
}

// wrapIV is the initial value of RFC 3394.
func wrapIV() []byte { return bytes.Repeat([]byte{0xa6}, 8) }

// wrapKey is RFC 3394, section 2.2.1.
func wrapKey(block cipher.Block, c cipherCall) ([]byte, error) {
	n := len(c.data) / 8
	if len(c.data)%8 != 0 || n < 2 {
		return nil, named{"OperationError", "AES-KW wraps keys of a multiple of 64 bits, 128 at least"}
	}
	out := append(wrapIV(), c.data...)
	var b [aes.BlockSize]byte
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(b[:8], out[:8])
			copy(b[8:], out[8*i:8*i+8])
			block.Encrypt(b[:], b[:])
			xorCount(b[:8], n*j+i)
			copy(out[:8], b[:8])
			copy(out[8*i:], b[8:])
		}
	}
	return out, nil
}

// unwrapKey is RFC 3394, section 2.2.2.
func unwrapKey(block cipher.Block, c cipherCall) ([]byte, error) {
	n := len(c.data)/8 - 1
	if len(c.data)%8 != 0 || n < 2 {
		return nil, named{"OperationError", "the wrapped key is damaged"}
	}
	out := bytes.Clone(c.data)
	var b [aes.BlockSize]byte
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			copy(b[:8], out[:8])
			xorCount(b[:8], n*j+i)
			copy(b[8:], out[8*i:8*i+8])
			block.Decrypt(b[:], b[:])
			copy(out[:8], b[:8])
			copy(out[8*i:], b[8:])
		}
	}
	if subtle.ConstantTimeCompare(out[:8], wrapIV()) != 1 {
		return nil, named{"OperationError", "the wrapped key is damaged"}
	}
	return out[8:], nil
}

func xorCount(b []byte, t int) {
	binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^uint64(t))
}
