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

// runtimeOf returns what the engine knows of vm, for the goroutine that owns it. The
// library has no way there. The fields' places are held by a test.
func runtimeOf(vm *quickjs.VM) *libquickjs.TJSRuntime {
	address := uintptr(reflect.ValueOf(vm).Elem().FieldByName("state").FieldByName("runtime").Elem().FieldByName("cRuntime").Uint())
	return *(**libquickjs.TJSRuntime)(unsafe.Pointer(&address)) // memory of the engine's own, which nothing moves
}

// meter returns where the engine counts the bytes of its heap, and where it has the
// size at which it collects next. Without them neither a limit that was hit can be
// told from a thrown null nor machines be weighed.
func meter(rt *libquickjs.TJSRuntime) (heap, next *libquickjs.Tsize_t) {
	return &rt.Fmalloc_ctx.Fmalloc_state.Fmalloc_size, &rt.Fmalloc_gc_threshold
}
