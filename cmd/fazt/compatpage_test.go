package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/platform/script/web"
)

// area is a part of the globals, by its folder in the Web Platform Tests, and the
// tests of ours that hold it to its standard.
type area struct {
	name, has string
	proof     []string
}

const (
	webTests    = "platform/script/web"
	engineTests = "platform/script"
	ownTests    = "cmd/fazt"
)

// areas are all of them, the ones without a deviation too.
func areas() []area {
	return []area{
		{"url", "URL, URLSearchParams", []string{"TestURL", "TestURLSearchParams"}},
		{"urlpattern", "URLPattern", []string{"TestURLPattern"}},
		{"fetch/api/headers", "Headers", []string{"TestHeaders"}},
		{"fetch/api/request", "Request", []string{"TestRequest"}},
		{"fetch/api/response", "Response", []string{"TestResponse"}},
		{"fetch/api/body", "bodies: text, json, bytes, formData, blob", []string{"TestRequest", "TestResponse", "TestFormData"}},
		{"streams", "ReadableStream, WritableStream, TransformStream", []string{"TestReadableStreams", "TestWritableAndTransformStreams"}},
		{"encoding", "TextEncoder, TextDecoder and their streams, atob, btoa", []string{"TestEncoding"}},
		{"compression", "CompressionStream, DecompressionStream", []string{"TestCompression", "TestDecompressionBomb", "TestOpenCompressionStreamsAreBounded"}},
		{"FileAPI", "Blob, File", []string{"TestFileAPI"}},
		{"xhr/formdata", "FormData", []string{"TestFormData"}},
		{"WebCryptoAPI", "crypto, crypto.subtle", []string{"TestRandom", "TestCryptoVectors", "TestCryptoKeys"}},
		{"html/webappapis/timers", "setTimeout, setInterval and their clearing", []string{"TestTimers"}},
		{"html/webappapis/structured-clone", "structuredClone", []string{"TestStructuredClone"}},
		{"html", "what else browsers have", nil},
		{"dom/abort", "AbortController, AbortSignal", []string{"TestAbort"}},
		{"dom/events", "Event, EventTarget, CustomEvent", []string{"TestEvents"}},
		{"webidl", "the shape of classes, DOMException", []string{"TestDOMException"}},
		{"webmessaging", "MessageChannel, MessagePort", []string{"TestMessageChannel"}},
		{"hr-time", "performance", nil},
		{"intl", "Intl, toLocaleString and its kin, localeCompare", []string{"TestIntl", "TestIntlOfAModule", "TestIntlWaits"}},
		{"js", "the language", nil},
		{"wasm", "WebAssembly", nil},
		{"node:assert", "", []string{"TestNodeEventsUtilAssert"}},
		{"node:async_hooks", "", []string{"TestAsyncLocalStorage", "TestAsyncLocalStorageKeepsToItsModel"}},
		{"node:buffer", "", []string{"TestNodeBufferAndFriends"}},
		{"node:crypto", "", []string{"TestNodeCrypto"}},
		{"node:events", "", []string{"TestNodeEventsUtilAssert"}},
		{"node:process", "", []string{"TestNodeShimsLoad"}},
		{"node:url", "", []string{"TestNodeShimsLoad"}},
		{"node:util", "", []string{"TestNodeEventsUtilAssert"}},
		{"node", "modules of Node's that are not there", nil},
	}
}

const compatibilityHead = `# Compatibility

<!-- generated from the tests and the list of known deviations by "make gen"; do not edit -->

What an app's code may bring, and what it finds. What is said to work is run: the
packages are bundled and asked in the engine by the tests, and a deviation marked
*shown* fails them as soon as it is mended. The other deviations are known from the
code alone.

## Packages

Others may work as well; these are the ones that are looked at.

| package | version | works | does not, or was not tried | proof |
|---|---|---|---|---|
`

const areasHead = `
## Web platform

By the names of the Web Platform Tests. They name the area; the proof is tests of
this project, not that suite.

| area | what is there | deviations | proof |
|---|---|---|---|
`

const deviationsHead = `
## Deviations

| area | what is different | who meets it, what to do | shown |
|---|---|---|---|
`

func compatibilityPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(compatibilityHead)
	for _, c := range everyPackage() {
		var versions []string
		for _, name := range c.packages {
			versions = append(versions, versionOf(t, name))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | `TestCompatibility/%s` in `%s` |\n", c.title, strings.Join(slices.Compact(versions), ", "), cell(c.works), cell(c.not), c.entry, ownTests)
	}
	b.WriteString(areasHead)
	known := web.Deviations()
	for _, a := range areas() {
		n := len(slices.DeleteFunc(slices.Clone(known), func(d web.Deviation) bool { return d.Area != a.name }))
		fmt.Fprintf(&b, "| %s | %s | %d | %s |\n", a.name, cell(a.has), n, a.proofs(t))
	}
	b.WriteString(deviationsHead)
	for _, a := range areas() {
		for _, d := range known {
			if d.Area == a.name {
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", d.Area, cell(d.What), cell(d.Impact), map[bool]string{true: "yes"}[d.Shown != ""])
			}
		}
	}
	return b.String()
}

// cell is text that ends no column.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text)
}

// proofs names the tests, which must exist.
func (a area) proofs(t *testing.T) string {
	t.Helper()
	list := a.proof
	if len(list) == 0 {
		list = []string{"TestDeviationsAreShown"}
	}
	var out []string
	for _, name := range list {
		if !slices.ContainsFunc([]string{webTests, engineTests, ownTests}, func(where string) bool { return hasTest(t, where, name) }) {
			t.Errorf("%s is proved by %s in %s, %s or %s, which does not exist", a.name, name, webTests, engineTests, ownTests)
		}
		out = append(out, "`"+name+"`")
	}
	return strings.Join(out, ", ")
}

func hasTest(t *testing.T, where, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(checkout, where, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		src, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(src), "\nfunc "+name+"(t *testing.T)")
	})
}

// Every deviation has its area.
func TestAreasAreWhole(t *testing.T) {
	for _, d := range web.Deviations() {
		if !slices.ContainsFunc(areas(), func(a area) bool { return a.name == d.Area }) {
			t.Errorf("the area %q of a deviation (%s) is not in the reference", d.Area, d.What)
		}
	}
}
