package script

import (
	"encoding/binary"

	"github.com/fazt-sh/fazt/platform/fault"
)

// kind says what a message means. The numbers are known to core.js as well,
// which gets them from kindNames.
type kind byte

// id is the program in open, close, opened and stuck, else the invocation. sub
// is the host call that a message belongs to, or 0 for the invocation's own
// bodies.
const (
	kindOpen     kind = iota + 1 // → head: bounds; body: code
	kindClose                    // → the program is no longer needed
	kindEnv                      // → sub: its number; head: what env holds
	kindInvoke                   // → sub: program; n: flags; head: fields; body: headers or data
	kindReply                    // → sub; n: flags; head: value, or code and message
	kindCancel                   // → the caller has gone
	kindOpened                   // ← head: handlers, or failure
	kindHead                     // ← n: status and flags; head: headers; body: all of it, if it is short
	kindCall                     // ← sub; n: flags; head: target, method, arguments; body: all of it, if it is short
	kindLog                      // ← n: level; head: text
	kindDone                     // ← head: failure, or empty; body: result of an event
	kindStuck                    // ← a machine does not stop; head: the limit
	kindMachines                 // ← n: how many there are
	kindBody                     // ↔ sub; n: flags; body: bytes
	kindCredit                   // ↔ sub; n: bytes that may follow
	kindTimer                    // child alone: sub: the timer; n: milliseconds
	kindEnd                      // child alone: forget the invocation
	kindWall                     // child alone: its time is up
	kindRejected                 // child alone: a promise that nobody handled; n: flagEvent, if listeners hear of it
	lastKind     = kindRejected
)

// Flags in n. A status takes the bits above them.
const (
	flagEnd    = 1 << iota // the last of a body
	flagBytes              // core.js only: a body is base64
	flagDone               // nothing follows of the invocation
	flagBody               // a body follows
	flagError              // head is a failure
	flagEvent              // not a request
	flagSignal             // a call that the script may give up
	flagShift  = iota
)

// window is how many bytes of a body may be on their way before the reader has
// taken any.
const window = 128 << 10

// message is everything that crosses between node and child, and between a
// machine and its script: what does not fit a field is not worth a call.
type message struct {
	kind kind
	id   uint64
	sub  uint64
	n    uint64
	head []byte
	body []byte
}

// appendTo encodes m behind b.
func (m message) appendTo(b []byte) []byte {
	b = append(b, byte(m.kind))
	b = binary.AppendUvarint(b, m.id)
	b = binary.AppendUvarint(b, m.sub)
	b = binary.AppendUvarint(b, m.n)
	b = binary.AppendUvarint(b, uint64(len(m.head)))
	b = append(b, m.head...)
	b = binary.AppendUvarint(b, uint64(len(m.body)))
	return append(b, m.body...)
}

var errWire = fault.New(fault.Invalid, "a message that nobody wrote")

// next decodes the first message of a frame. head and body are parts of the
// frame, so a length can claim no more than there is.
func next(frame []byte) (m message, rest []byte, err error) {
	if len(frame) == 0 {
		return m, nil, errWire
	}
	m.kind, rest = kind(frame[0]), frame[1:]
	if m.kind == 0 || m.kind > lastKind {
		return m, nil, errWire
	}
	for _, field := range []*uint64{&m.id, &m.sub, &m.n} {
		if rest, err = number(rest, field); err != nil {
			return m, nil, err
		}
	}
	for _, field := range []*[]byte{&m.head, &m.body} {
		if rest, err = block(rest, field); err != nil {
			return m, nil, err
		}
	}
	return m, rest, nil
}

func number(b []byte, to *uint64) ([]byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errWire
	}
	*to = v
	return b[n:], nil
}

func block(b []byte, to *[]byte) ([]byte, error) {
	var n uint64
	b, err := number(b, &n)
	if err != nil || n > uint64(len(b)) {
		return nil, errWire
	}
	*to = b[:n:n]
	return b[n:], nil
}
