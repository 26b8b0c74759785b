package static

import (
	"errors"
	"os"

	"github.com/fazt-sh/fazt/platform/fault"
)

// errFormLost says that one of several forms is damaged; the next choice is
// another.
var errFormLost = errors.New("this form is lost")

// open returns a small representation's bytes from memory, or the file. The
// error is errFormLost where a compressed form is not what it should be.
func (h *Handler) open(rep *representation) (body []byte, file *os.File, err error) {
	body, file, err = h.read(rep)
	if err == nil {
		return body, file, nil
	}
	if err = h.spoilt(rep, err); err != nil {
		return nil, nil, err
	}
	return h.read(rep)
}

func (h *Handler) read(rep *representation) (body []byte, file *os.File, err error) {
	if h.cache != nil && rep.size <= cachedFile {
		body, err = h.cache.read(h.store, rep)
		return body, nil, err
	}
	if file, err = h.store.Open(rep.blob, rep.form.encoding()); err != nil {
		return nil, nil, err
	}
	if info, err := file.Stat(); err != nil || info.Size() != rep.size {
		return nil, nil, errors.Join(damaged(rep.name, rep.blob), file.Close())
	}
	return nil, file, nil
}

// spoilt deals with bytes that are not there as they should be. A compressed
// form is dropped. The bytes themselves are made again out of a compressed form:
// then the error is nil; otherwise whoever can fetch them is told. An error of a
// disk that is only busy, or of a process out of descriptors, is no damage.
func (h *Handler) spoilt(rep *representation, err error) error {
	if kind := fault.KindOf(err); kind != fault.Internal && kind != fault.NotFound {
		return err
	}
	h.store.Reject(rep.blob, rep.form.encoding())
	if rep.form != identity {
		rep.entry.sizes[rep.form].Store(-1)
		return errFormLost
	}
	if h.store.Mend(rep.blob) {
		return nil
	}
	if h.lost != nil {
		h.lost(rep.blob)
	}
	return fault.Wrap(fault.Unavailable, err, "the bytes of %q are lost for now", rep.name).WithSubject(string(rep.blob))
}
