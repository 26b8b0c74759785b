package script

import (
	"reflect"
	"unsafe"

	"modernc.org/libquickjs"
	"modernc.org/quickjs"
)

// machineBytes is what a machine is reckoned to take before it has run: the
// engine, the Web's globals and a bundle with a framework (measured: 0.4 to 2 MiB).
const machineBytes = 2 << 20

// meter returns where vm counts the bytes of its heap, and where it has the size
// at which it collects next, for the goroutine that owns it. The library has no
// call for them, and without neither a limit that was hit can be told from a
// thrown null nor machines be weighed. The fields' places are held by a test.
func meter(vm *quickjs.VM) (heap, next *libquickjs.Tsize_t) {
	address := uintptr(reflect.ValueOf(vm).Elem().FieldByName("state").FieldByName("runtime").Elem().FieldByName("cRuntime").Uint())
	rt := *(**libquickjs.TJSRuntime)(unsafe.Pointer(&address)) // memory of the engine's own, which nothing moves
	return &rt.Fmalloc_ctx.Fmalloc_state.Fmalloc_size, &rt.Fmalloc_gc_threshold
}
