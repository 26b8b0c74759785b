package script

import (
	"fmt"
	"slices"
	"time"
	"unsafe"

	"modernc.org/libquickjs"
	"modernc.org/quickjs"
)

// mostRejected is how many promises that nobody has handled are kept in a turn. The
// others are counted.
const mostRejected = 32

// rejections are the promises of a turn that were rejected while nobody waited for
// them. The engine tells of each, and again when somebody comes for it. So code
// without them pays nothing.
type rejections struct {
	vm   *quickjs.VM
	rt   *libquickjs.TJSRuntime
	held []rejection
	more int  // that are not held
	null bool // one of this turn was rejected with null, which is also the engine's word where it has no memory for an error
	told tracker

	spent bool // one of those came when the heap was full to the last bytes, and the turn was cut

	nothing libquickjs.TJSValue // null
}

type rejection struct{ promise, reason quickjs.Value }

// tracker is a function as the engine calls it: its thread, its context, the promise,
// the reason, whether it is handled now, and what it was registered with.
type tracker func(_ unsafe.Pointer, _ uintptr, promise, reason libquickjs.TJSValue, handled int32, _ uintptr)

// track listens to an engine. It knows functions by their address, so r keeps the one
// it is given; nothing moves it.
func track(vm *quickjs.VM, rt *libquickjs.TJSRuntime) *rejections {
	r := &rejections{vm: vm, rt: rt}
	if v, err := vm.EvalValue("null", quickjs.EvalGlobal); err == nil {
		r.nothing = (*value)(unsafe.Pointer(&v)).v
	}
	r.told = func(_ unsafe.Pointer, _ uintptr, promise, reason libquickjs.TJSValue, handled int32, _ uintptr) {
		if handled != 0 {
			r.drop(promise)
		} else {
			r.add(promise, reason)
		}
	}
	rt.Fhost_promise_rejection_tracker = *(*uintptr)(unsafe.Pointer(&r.told))
	return r
}

// value is a quickjs.Value with its fields open, as the library makes none of what the
// engine hands to a tracker. A test holds that they are the same.
type value struct {
	vm *quickjs.VM
	v  libquickjs.TJSValue
}

func (r *rejections) keep(v libquickjs.TJSValue) quickjs.Value {
	return (*(*quickjs.Value)(unsafe.Pointer(&value{r.vm, v}))).Dup()
}

func (r *rejections) add(promise, reason libquickjs.TJSValue) {
	r.null = r.null || reason == r.nothing
	if reason == r.nothing && r.full() {
		r.spent = true
		r.vm.Interrupt() // a loop that looks at no promise would go on until its time is up
	}
	if len(r.held) == mostRejected {
		r.more++
		return
	}
	r.held = append(r.held, rejection{r.keep(promise), r.keep(reason)})
}

// full tells whether hardly anything is left of the memory.
func (r *rejections) full() bool {
	s := &r.rt.Fmalloc_ctx.Fmalloc_state
	return s.Fmalloc_size > s.Fmalloc_limit-s.Fmalloc_limit>>8
}

// drop takes a promise back that is handled now. One that is not held is one of more,
// or else of an earlier turn.
func (r *rejections) drop(promise libquickjs.TJSValue) {
	i := slices.IndexFunc(r.held, func(h rejection) bool { return (*value)(unsafe.Pointer(&h.promise)).v == promise })
	if i < 0 {
		r.more = max(r.more-1, 0)
		return
	}
	r.held[i].free()
	r.held = slices.Delete(r.held, i, i+1)
}

func (r rejection) free() {
	r.promise.Free()
	r.reason.Free()
}

func (r *rejections) any() bool { return len(r.held)+r.more > 0 }

// take returns what is there and begins anew.
func (r *rejections) take() (held []rejection, more int) {
	held, more = r.held, r.more
	r.held, r.more = nil, 0
	return held, more
}

// forget drops everything at the end of a turn. It reports whether a promise was
// rejected with null in it.
func (r *rejections) forget() (null bool) {
	held, _ := r.take()
	for _, h := range held {
		h.free()
	}
	null, r.null, r.spent = r.null, false, false
	return null
}

// stop ends it before the engine goes.
func (r *rejections) stop() {
	r.rt.Fhost_promise_rejection_tracker = 0
	r.forget()
}

// complain logs what nobody has handled at the end of a turn, unless a listener says
// that it need not be.
func (m *machine) complain(t *task, begun time.Time, listened bool) (err error) {
	held, more := m.rejected.take()
	flags := 0
	if listened {
		flags = flagEvent
	}
	for _, h := range held {
		if err == nil {
			m.vm.SetEvalTimeout(max(t.left()-time.Since(begun), 1))
			_, err = m.dispatch.Call(quickjs.UndefinedValue, int(kindRejected), 0, 0, flags, h.promise, h.reason)
		}
		h.free()
	}
	if more > 0 && t.logs() {
		t.log(message{kind: kindLog, n: levelError, head: fmt.Appendf(nil, "%d more promises were rejected and nobody handled them", more)})
	}
	return err
}

// levelError is what core_console.js calls ERROR.
const levelError = 3

// unsettled tells whether a turn may still have something to say when its invocation
// is answered.
func (m *machine) unsettled() bool {
	jobs := &m.rejected.rt.Fjob_list
	return m.rejected.any() || jobs.Fnext != uintptr(unsafe.Pointer(jobs))
}
