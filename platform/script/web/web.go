// Package web is the Web-standard half of what functions see: URL, fetch's
// classes, streams, encodings, crypto and the rest of the WinterTC Minimum Common
// Web API, for an engine that knows ECMAScript alone. It is a prelude in
// JavaScript plus the pure-compute Go functions that the prelude stands on.
// platform/script registers the functions and runs the prelude in each virtual
// machine; platform/bundle serves the node: shims from here. The package refuses
// to know an engine, a request or an app: timers, console and fetch are the
// engine's.
//
// A machine starts with the kernel (Source), which costs as much as the empty machine.
// Every global but a few is a getter that loads its part (Parts) at first use, so that
// a function pays for what it touches: another 0.5 ms for Request, Response and URL,
// 0.6 ms for streams.
package web

import (
	"embed"
	"io/fs"
	"path"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// The vendored libraries are built to one file each: make vendor-js.
//
//go:embed kernel.js parts/*.js vendor_js/*.js
var prelude embed.FS

//go:embed node
var shims embed.FS

// Function is a host function in the shape that the engine registers: arguments
// are strings, numbers, booleans and nil; an error becomes a TypeError.
type Function = func(args []any) (any, error)

// The two host functions. The kernel takes both away from the global object.
const (
	CallName = "__fazt_web"  // every operation, by name
	PartName = "__fazt_part" // the source of a part, or what it evaluates to
)

// IntlName is a host function that the engine may register before the prelude runs:
// it defines Intl when it is called, which happens at the first use of Intl or of a
// toLocale method; parts/intl.js then keeps it to what it knows. Without it there is
// no Intl.
const IntlName = "__fazt_intl"

// Hidden is the global on which the prelude leaves what the engine's own script
// needs (see kernel.js). That script takes it and deletes it.
const Hidden = "__fazt"

// Source returns the kernel of the prelude, a script to evaluate once in each
// machine after Functions have been registered.
func Source() string {
	return mustRead("kernel.js")
}

// Parts returns the rest of the prelude by name. Each is a script that evaluates
// to a function, which the kernel calls once. The PartName of Functions gives out
// these texts; an engine that keeps bytecode registers its own PartName instead,
// which evaluates the compiled part and returns the function itself (seven times
// faster: 0.9 ms instead of 6 ms for the streams).
func Parts() map[string]string {
	entries, err := prelude.ReadDir("parts")
	if err != nil {
		panic(err) // embedded, so it is there
	}
	parts := make(map[string]string, len(entries))
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".js")
		parts[name] = part(name)
	}
	return parts
}

// part wraps the text of a part, and of the vendored library that goes with it, in
// the function that it is the body of.
func part(name string) string {
	vendored, err := prelude.ReadFile("vendor_js/" + name + ".js")
	if err != nil {
		vendored = nil // most parts have none
	}
	return "(web => { \"use strict\";\n" + string(vendored) + mustRead("parts/"+name+".js") + "\n})"
}

func mustRead(name string) string {
	text, err := prelude.ReadFile(name)
	if err != nil {
		panic(err) // embedded, so it is there
	}
	return string(text)
}

// Node returns the node: shims as ES modules: buffer.js is what "node:buffer" and
// "buffer" mean, util/types.js is "node:util/types".
func Node() fs.FS {
	sub, err := fs.Sub(shims, "node")
	if err != nil {
		panic(err) // embedded, so it is there
	}
	return sub
}

// Functions returns the host functions by the global name under which the prelude
// expects them. They keep what streaming compression and hashing have begun, so
// each machine needs its own set. All are pure compute; none blocks. Decompression
// runs in coroutines: the goroutine of a machine must not be locked to its thread.
func Functions() map[string]Function {
	ops := operations()
	return map[string]Function{
		CallName: func(args []any) (any, error) {
			name := text(args, 0)
			op, ok := ops[name]
			if !ok {
				return nil, fault.New(fault.Internal, "the prelude asks for %q, which is no operation", name)
			}
			return op(args[1:])
		},
		PartName: func(args []any) (any, error) {
			name := text(args, 0)
			if path.Base(name) != name {
				return nil, fault.New(fault.Invalid, "%q is no part of the prelude", name)
			}
			return part(name), nil
		},
	}
}

// operations is the table of what the prelude may ask for.
func operations() map[string]Function {
	ops := map[string]Function{}
	for _, add := range []func(map[string]Function){urlOperations, textOperations, formOperations, timeOperations, zipOperations, hashOperations, cryptoOperations, intlOperations} {
		add(ops)
	}
	return ops
}
