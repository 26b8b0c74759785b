package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fazt-sh/fazt/edge/function"
	"github.com/fazt-sh/fazt/platform/applog"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/spec"
)

// How a release is asked whether it works: so often, and so many times well in a
// row. One good answer may be luck.
const (
	probeEvery = time.Second
	probesGood = 3
)

// evidenceBytes is how much of a bad answer is kept to be shown.
const evidenceBytes = 300

// probe asks the new releases of apps that say how, before anybody sees them. All
// are asked at once, so a stage waits for the slowest, or until it is overtaken:
// what has not proven itself by then stays out, the rest goes on.
func (p *passing) probe(ctx context.Context) error {
	asked := p.unproven()
	if len(asked) == 0 {
		return nil
	}
	asking, stop := context.WithCancelCause(ctx)
	var watch, asks sync.WaitGroup
	if p.desired.Overtaken != nil {
		watch.Go(func() { stop(p.desired.Overtaken(asking)) })
	}
	for _, c := range asked {
		asks.Go(func() {
			err := c.site.works(asking)
			switch {
			case err == nil || ctx.Err() != nil:
			case asking.Err() != nil:
				c.fail(context.Cause(asking))
			default:
				c.fail(p.server.withLastWord(c.site, err))
			}
		})
	}
	asks.Wait()
	stop(nil)
	watch.Wait()
	return ctx.Err()
}

// unproven lists the apps whose new release says how to tell that it works.
func (p *passing) unproven() (list []*candidate) {
	if p.server.config.Dev || p.desired.Folder == nil || p.desired.Verify {
		return nil // who saves is looking, and must not wait; the rest was asked before
	}
	for i := range p.apps {
		c := &p.apps[i]
		if c.fault == nil && c.site != nil && c.content != nil && c.site.health != nil {
			list = append(list, c)
		}
	}
	return list
}

// works waits until a site answers well, three times in a row. The error has what
// it answered last.
func (s *site) works(ctx context.Context) error {
	h := s.health.Filled()
	late := time.NewTimer(millis(h.DeadlineMS))
	defer late.Stop()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for good := 0; ; {
		err := s.ask(ctx, h)
		if good++; err != nil {
			good = 0
		}
		if good == probesGood {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			if err == nil {
				err = fault.New(fault.Invalid, "%s answered well only %d times", h.Path, good)
			}
			return fault.Wrap(fault.Invalid, err, "%q did not work within %s and stays as it is", s.addr, millis(h.DeadlineMS)).
				WithCode(fault.CodeUnhealthy).WithHint("fazt app logs %s says what the code said", s.name)
		}
	}
}

// ask sends one request to a site's health path, and says what is wrong with the
// answer.
func (s *site) ask(ctx context.Context, h spec.Health) error {
	ctx, cancel := context.WithTimeout(ctx, millis(h.DeadlineMS))
	defer cancel()
	answer, err := function.Ask(ctx, inner{site: s}, script.Request{
		Method: http.MethodGet, URL: "https://" + s.hosts[0] + h.Path, Header: [][2]string{{"user-agent", "fazt-health"}},
	})
	if err != nil {
		return s.clean(fault.Wrap(fault.Invalid, err, "%s of %q", h.Path, s.addr))
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, evidenceBytes))
	switch {
	case answer.Status >= 400:
		return fault.New(fault.Invalid, "%s of %q answered %d: %s", h.Path, s.addr, answer.Status, evidence(s.excerpt(said)))
	case err != nil:
		return s.clean(fault.Wrap(fault.Invalid, err, "%s of %q broke off", h.Path, s.addr))
	}
	return nil
}

// evidence is what somebody should see of an answer: its first line of text.
func evidence(said []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(said), []byte("\n"))
	if len(line) == 0 {
		return "(nothing)"
	}
	if !utf8.Valid(line) {
		return fmt.Sprintf("(%d bytes)", len(said))
	}
	return string(line)
}

// Watched is an app whose newest release is being watched: it says how to tell that
// it works, and has not been in service for long.
type Watched struct {
	Addr     spec.Addr
	Name     string
	Revision string    // of the release
	Until    time.Time // when it will have proven itself
	Reverts  bool      // it goes back if it fails
}

// Watched lists the apps that are being watched.
func (s *Server) Watched(now time.Time) (list []Watched) {
	n := s.acquire()
	defer n.release()
	for _, site := range n.sites {
		if site.health == nil || site.born.IsZero() || s.config.Dev {
			continue
		}
		h := site.health.Filled()
		if until := site.born.Add(millis(h.WindowMS)); now.Before(until) {
			list = append(list, Watched{site.addr, site.name, site.revision[0], until, !h.NoRevert})
		}
	}
	return list
}

// Ask asks an app that is in service whether it works.
func (s *Server) Ask(ctx context.Context, addr spec.Addr) error {
	n := s.acquire()
	defer n.release()
	site := n.sites[addr]
	if site == nil || site.health == nil {
		return nil
	}
	return site.ask(ctx, site.health.Filled())
}

// withLastWord adds to why a release was refused what its own code said last, as the
// answer of a failure says nothing of the cause.
func (s *Server) withLastWord(of *site, err error) error {
	if s.config.Logs == nil {
		return err
	}
	lines, unread := s.config.Logs.Read(of.name, applog.Filter{Level: "error", Last: 1, Since: s.config.Now().Add(-lastWordAge), Release: of.revision[0]})
	if unread != nil || len(lines) == 0 {
		return err
	}
	return fault.New(fault.KindOf(err), "%s; it said: %s", fault.Message(err), evidence([]byte(lines[0].Text))).WithCode(fault.CodeOf(err)).WithHint("%s", fault.HintOf(err))
}

// lastWordAge is how old an error of the code may be to have to do with a probe.
const lastWordAge = 10 * time.Minute
