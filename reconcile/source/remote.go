package source

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// remote is a repository somewhere else.
type remote interface {
	// connect asks for the ref in one round trip.
	connect(ctx context.Context) (session, error)
	// close gives back what was kept between connections.
	close()
}

// session is one conversation with a remote.
type session interface {
	// head is the commit the ref stands at.
	head() plumbing.Hash
	// fetch brings a commit and what it needs into a store.
	fetch(ctx context.Context, into *store, o order) (delivery, error)
	// shallow are commits whose parents the remote itself does not have.
	shallow() []plumbing.Hash
	// canCut reports whether the remote can leave out old history.
	canCut() bool
	Close() error
}

// order is what one fetch asks for.
type order struct {
	want  plumbing.Hash
	have  func() []plumbing.Hash // commits that are here, complete up to cut
	cut   []plumbing.Hash        // commits whose parents are not here
	depth int                    // generations of commits to bring; 0 is all
	bytes int64                  // budget
}

// delivery is what one fetch brought.
type delivery struct {
	objects int
	bytes   int64
	memory  int64           // what taking it in could need at most
	cut     []plumbing.Hash // commits whose parents were left out
	joined  []plumbing.Hash // commits whose parents came
}

// newRemote returns the remote of an address.
func newRemote(a address, ref string, c Credentials, limits Limits) (remote, error) {
	switch a.scheme {
	case "file":
		return &localRemote{at: a, ref: ref, limits: limits}, nil
	case "ssh":
		return &sshRemote{a, ref, c, limits}, nil
	default:
		return newHTTPRemote(a, ref, c, limits)
	}
}

// chosen checks that an advertisement has the ref.
func (a *advert) chosen(at address, ref string) error {
	if !a.id.IsZero() {
		return nil
	}
	return noRef(at, ref, a.refs == 0, a.branches)
}

// noRef is the error of a repository without the ref.
func noRef(at address, ref string, empty bool, branches []string) error {
	if empty {
		return fault.New(fault.NotFound, "the repository %s is empty: it has no %q", at, shortRef(ref)).
			WithSubject(at.String()).WithHint("push a commit to it: git push origin HEAD:%s", shortRef(ref))
	}
	e := fault.New(fault.NotFound, "the repository %s has no %q", at, shortRef(ref)).WithSubject(at.String())
	if len(branches) > 0 {
		return e.WithHint("it has %s; choose one with --ref", strings.Join(branches, ", "))
	}
	return e.WithHint("push it, or choose another with --ref")
}

// remoteFault classes what went wrong in talking to a remote. Faults keep their
// class; words of the remote are freed of control characters.
func remoteFault(ctx context.Context, at address, err error) error {
	var known *fault.Error
	var said *pktline.ErrorLine
	var netError net.Error
	switch err = refusal(err, ""); {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netError) && netError.Timeout():
		return unreachable(at, "it did not answer in time", err)
	case errors.As(err, &said):
		return unreachable(at, "it says: "+printable(said.Text, 300), nil)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unreachable(at, "the connection ended early", err)
	default:
		return unreachable(at, printable(err.Error(), 300), err)
	}
}

func unreachable(at address, why string, cause error) error {
	return &fault.Error{Kind: fault.Unavailable, Subject: at.String(),
		Message: "the repository " + at.String() + " cannot be fetched: " + why, Err: cause}
}

// unauthenticated is the error of a remote that wants other credentials.
func unauthenticated(at address, why, hint string) error {
	return fault.New(fault.Unauthenticated, "the repository %s refuses the credentials: %s", at, why).
		WithSubject(at.String()).WithHint("%s", hint)
}
