package source

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// advertLimit bounds the list of refs a remote may send.
const advertLimit = 64 << 20

// advert is what a remote says of itself, reduced to the ref of interest.
type advert struct {
	refs     int
	id       plumbing.Hash // of the ref, an annotated tag followed; zero if the remote does not have it
	branches []string      // some branches there are, to name in a message
	caps     map[string]bool
	shallow  []plumbing.Hash
}

// readAdvert reads the list of refs of git's protocol version 0, keeping one.
func readAdvert(r io.Reader, ref string) (*advert, error) {
	a := &advert{caps: map[string]bool{}}
	lines := pktline.NewScanner(bufio.NewReader(&capped{r: r, left: advertLimit, err: tooLarge("the list of refs has more than %d bytes", int64(advertLimit))}))
	for first := true; lines.Scan(); {
		line := strings.TrimSuffix(string(lines.Bytes()), "\n")
		switch {
		case first && strings.HasPrefix(line, "# service="):
			lines.Scan() // the flush that ends the announcement over http
			continue
		case line == "":
			return a, nil
		case first && strings.HasPrefix(line, "version "):
			continue
		}
		if first {
			line = a.capabilities(line)
			first = false
		}
		if err := a.line(line, ref); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w in the list of refs", io.ErrUnexpectedEOF)
}

func (a *advert) capabilities(line string) string {
	line, caps, _ := strings.Cut(line, "\x00")
	for word := range strings.FieldsSeq(caps) {
		a.caps[word] = true
	}
	return line
}

func (a *advert) line(line, ref string) error {
	if id, ok := strings.CutPrefix(line, "shallow "); ok {
		a.shallow = append(a.shallow, plumbing.NewHash(id))
		return nil
	}
	digits, name, ok := strings.Cut(line, " ")
	if ok && len(digits) == 64 {
		return errSHA256
	}
	if !ok || !plumbing.IsHash(digits) {
		return fmt.Errorf("%w: list of refs", errMalformed)
	}
	if name == "capabilities^{}" {
		return nil
	}
	a.refs++
	if name == ref || name == ref+"^{}" {
		a.id = plumbing.NewHash(digits)
	}
	if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok && len(a.branches) < 5 {
		a.branches = append(a.branches, printable(branch, 60))
	}
	return nil
}

// request asks for one commit and all it needs, given commits that are here.
func (a *advert) request(o order) ([]byte, error) {
	var caps []string
	for _, c := range []string{"ofs-delta", "side-band-64k", "no-progress"} {
		if a.caps[c] {
			caps = append(caps, c)
		}
	}
	var b bytes.Buffer
	e := pktline.NewEncoder(&b)
	err := e.Encodef("want %s %s\n", o.want, strings.Join(append(caps, "agent=fazt"), " "))
	if a.canCut() {
		for _, id := range o.cut {
			err = errors.Join(err, e.Encodef("shallow %s", id))
		}
		if o.depth > 0 {
			err = errors.Join(err, e.Encodef("deepen %d", o.depth))
		}
	}
	err = errors.Join(err, e.Flush())
	for _, id := range o.have() {
		err = errors.Join(err, e.Encodef("have %s\n", id))
	}
	err = errors.Join(err, e.EncodeString("done\n"))
	return b.Bytes(), err
}

func (a *advert) canCut() bool { return a.caps["shallow"] }

// receive reads the answer to a request into a store.
func (a *advert) receive(ctx context.Context, p *pace, r io.Reader, into *store, o order, limits Limits) (delivery, error) {
	b := bufio.NewReader(&capped{r: r, left: o.bytes, err: tooMuch(o.bytes)})
	var d delivery
	if o.depth > 0 {
		if err := d.readCuts(b); err != nil {
			return d, err
		}
	}
	pack, err := a.pack(b)
	if err != nil {
		return d, err
	}
	err = into.ingest(ctx, p.read(pack), limits, &d)
	return d, err
}

// readCuts reads where the remote cuts the history that it sends, and where it
// joins a cut that it was told of.
func (d *delivery) readCuts(r io.Reader) error {
	lines := pktline.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSuffix(string(lines.Bytes()), "\n")
		if line == "" {
			return nil
		}
		word, id, _ := strings.Cut(line, " ")
		switch {
		case word == "shallow" && plumbing.IsHash(id):
			d.cut = append(d.cut, plumbing.NewHash(id))
		case word == "unshallow" && plumbing.IsHash(id):
			d.joined = append(d.joined, plumbing.NewHash(id))
		case strings.HasPrefix(line, "ERR "):
			return &pktline.ErrorLine{Text: strings.TrimPrefix(line, "ERR ")}
		default:
			return fmt.Errorf("%w: where history is cut", errMalformed)
		}
	}
	return cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
}

// pack finds the pack in the answer to a request: after the lines that say
// which commits both sides know, in the first channel where there are several.
func (a *advert) pack(b *bufio.Reader) (io.Reader, error) {
	for {
		start, err := b.Peek(7)
		if err != nil {
			return nil, err
		}
		word := string(start[4:])
		if word != "NAK" && word != "ACK" && word != "ERR" {
			break
		}
		lines := pktline.NewScanner(b)
		if !lines.Scan() {
			return nil, cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
		}
	}
	if a.caps["side-band-64k"] {
		return &ended{r: sideband.NewDemuxer(sideband.Sideband64k, b)}, nil
	}
	return b, nil
}

// ended does not read again after the end: behind a channel's end the
// connection stays open, and a read would wait for nothing.
type ended struct {
	r   io.Reader
	err error
}

func (e *ended) Read(p []byte) (n int, err error) {
	if e.err != nil {
		return 0, e.err
	}
	n, e.err = e.r.Read(p)
	return n, e.err
}

// errSHA256 is why repositories of git's newer object format are refused.
var errSHA256 = refused("the repository uses sha256 object ids, which are not supported").
	WithHint("create it with git init --object-format=sha1")

// capped fails with err after left bytes.
type capped struct {
	r    io.Reader
	left int64
	err  error
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		// The end may be exactly here: only a further byte is too much.
		if n, err := c.r.Read(p[:min(1, len(p))]); n == 0 {
			return 0, err
		}
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
