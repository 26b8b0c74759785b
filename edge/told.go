package edge

import (
	"errors"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/script"
)

// say keeps what the app said, without the secrets it was given.
func (b *backend) say(s *Server, release string, l script.Line) {
	s.logLine(b.name, release, b.line(l))
}

// line is what the app said, without the secrets it was given. What is too long was cut
// before anybody could look for them.
func (b *backend) line(l script.Line) script.Line {
	if l.Cut {
		l.Text = b.veil.HideCut(l.Text) + " [...]"
	} else {
		l.Text = b.veil.Hide(l.Text)
	}
	return l
}

// veiled is a trial that tells of itself without the secrets that the code was given.
func (b *backend) veiled(t Trial) Trial {
	said, end := t.Said, t.End
	t.Said = func(l script.Line) { said(b.line(l)) }
	t.End = func(d Tested) {
		d.Error, d.Stack = b.veil.Hide(d.Error), b.veil.Hide(d.Stack)
		end(d)
	}
	return t
}

// told is an error of the app's code, without the secrets it was given.
func (b *backend) told(err error) error {
	thrown, is := errors.AsType[*script.Exception](err)
	if !is || b.veil.Hide(thrown.Trace()) == thrown.Trace() {
		return err
	}
	veiled := *thrown
	veiled.Name, veiled.Message, veiled.Stack = b.veil.Hide(thrown.Name), b.veil.Hide(thrown.Message), b.veil.Hide(thrown.Stack)
	return &veiled
}

// excerpt is the beginning of an answer, without the secrets that the code was given.
func (s *site) excerpt(said []byte) []byte {
	switch {
	case s.backend == nil:
		return said
	case len(said) < evidenceBytes:
		return []byte(s.backend.veil.Hide(string(said)))
	}
	return []byte(s.backend.veil.HideCut(string(said)))
}

// clean is an error with words of the app's code in it, without the secrets that this
// was given. Files alone have none.
func (s *site) clean(err error) error {
	if err == nil || s.backend == nil {
		return err
	}
	message := s.backend.veil.Hide(err.Error())
	if message == err.Error() {
		return err
	}
	return fault.New(fault.KindOf(err), "%s", message).WithHint("%s", s.backend.veil.Hide(fault.HintOf(err)))
}
