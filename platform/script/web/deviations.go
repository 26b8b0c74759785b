package web

// Deviation is one place where the globals differ from what their standard says, for
// the reference page and for whoever meets a surprise.
type Deviation struct {
	Area   string // as the Web Platform Tests name it, or the name of a node: module
	What   string // what is different
	Impact string // who meets it, and what to do instead
	Shown  string // an expression, or a promise, that is true as long as it is so; may be empty
}

// Deviations are all that are known. A test evaluates what shows them, so that one
// that was mended cannot stay in the list.
func Deviations() []Deviation {
	var all []Deviation
	for _, some := range [][]Deviation{platformDeviations(), fetchDeviations(), dataDeviations(), cryptoDeviations(), nodeDeviations()} {
		all = append(all, some...)
	}
	return all
}

func platformDeviations() []Deviation {
	return []Deviation{
		{"webidl", "members of the classes are not enumerable", "for…in over a Request or a URL finds nothing; name the members", `Object.keys(URL.prototype).length === 0`},
		{"wasm", "there is no WebAssembly", "packages with a .wasm inside do not run; take their JavaScript build", `typeof WebAssembly === "undefined"`},
		{"intl", "DateTimeFormat, NumberFormat and the toLocale methods of dates and numbers know en-US alone, the Gregorian calendar, Latin digits, and neither roundingIncrement nor the names of currencies", "what is asked for beyond it is a RangeError; text for other languages comes from a package", ""},
		{"intl", "Collator and localeCompare know some seventy languages, and neither caseFirst, ignorePunctuation nor the extensions of a tag", "what is asked for beyond it is a RangeError; numeric and sensitivity are options", `(() => { try { "a".localeCompare("b", "tlh"); } catch (e) { return e.name === "RangeError"; } })()`},
		{"intl", "a time zone is named as the IANA database spells it, and its long name is its distance from GMT; without one, a format is of UTC", "Europe/Berlin, not europe/berlin, which is a RangeError", ""},
		{"intl", "PluralRules, RelativeTimeFormat, ListFormat, DisplayNames, Segmenter, DurationFormat, Locale, supportedValuesOf, formatRange and formatRangeToParts are missing", "take a package", ""},
		{"intl", "toLocaleUpperCase and toLocaleLowerCase pay no attention to the language", "Turkish and Lithuanian text; take a package", `"I".toLocaleLowerCase("tr") === "i"`},
		{"js", "leaving a for await loop early does not wait until the iterator has been closed", "a stream that was left with break may still be locked in the same turn; await iterator.return() where that matters",
			`(async () => { let done = false; const it = { [Symbol.asyncIterator]() { return this; }, next: async () => ({ value: 1, done: false }), return: async () => { await null; await null; done = true; return {}; } }; for await (const x of it) break; return !done; })()`},
		{"js", "Array.fromAsync, AsyncIterator helpers, DisposableStack, SuppressedError and Temporal are missing", "collect with for await; using and await using work, as the bundler writes them out", `!("fromAsync" in Array) && ["DisposableStack", "SuppressedError", "Temporal"].every((n) => !(n in globalThis))`},
		{"js", "a WeakRef keeps nothing until the turn ends: what nothing else holds is gone at once", "hold what is needed beside it", `new WeakRef({}).deref() === undefined`},
		{"js", "the stack of an error has no first line with its message, and Error.captureStackTrace ignores its second argument", "code that parses stacks", `!new Error("x").stack.includes("x\n")`},
		{"dom/events", "a target has no parents: there is no capturing or bubbling through a tree", "nobody: there is no document", ""},
		{"dom/events", "isTrusted is false for every event", "code that asks for a user's gesture; there is none here", `!new Event("x").isTrusted`},
		{"dom/events", "onerror, onunhandledrejection and onrejectionhandled of the global scope are plain properties", "setting one to a listener object does nothing; use addEventListener", `!("onerror" in globalThis)`},
		{"html", "an unhandledrejection comes when the turn of its promise is over, for 32 promises of a turn, and rejectionhandled never", "a promise that is handled in a later turn is in the log all the same; attach the handler where it is made", ""},
		{"dom/abort", "a signal made by AbortSignal.any is kept alive by its sources", "a source that lives as long as the machine collects what follows it; use the request's signal", ""},
		{"hr-time", "performance has now and timeOrigin: no marks, measures or entries", "profiling packages; now is rounded to 5 µs", `performance.mark === undefined`},
		{"webmessaging", "ports work within one machine and cannot leave it; messageerror never comes", "there are no workers", `typeof Worker === "undefined"`},
		{"html/webappapis/structured-clone", "structuredClone cannot transfer streams", "hand the stream itself on", `(() => { const s = new ReadableStream(); try { structuredClone(s, { transfer: [s] }); } catch (e) { return e.name === "DataCloneError"; } })()`},
		{"html", "localStorage, indexedDB, caches and Worker are missing", "use the bindings of the app", `["localStorage", "indexedDB", "caches", "Worker"].every((n) => !(n in globalThis))`},
	}
}

func fetchDeviations() []Deviation {
	return []Deviation{
		{"fetch/api/headers", "no header name is forbidden and request headers have no guard", "a server sets Host, Cookie and Set-Cookie itself", `new Request("https://h", { headers: { cookie: "a" } }).headers.has("cookie")`},
		{"fetch/api/request", "mode, credentials, cache, referrer, referrerPolicy, keepalive and integrity are kept and have no effect", "there is no browser between the function and the network; integrity is not checked", `new Request("https://h", { integrity: "sha256-x" }).integrity === "sha256-x"`},
		{"fetch/api/request", "the headers of the request that a handler gets can be changed", "code for platforms that forbid it runs as well", ""},
		{"fetch/api/request", "fetch asks http and https: data:, blob: and about: addresses are a TypeError", "take what is in a data: address apart with atob", ""},
		{"fetch/api/response", "a body may be any async iterable of bytes", "more is accepted than the standard asks for", `new Response((async function* () {})()).body instanceof ReadableStream`},
		{"fetch/api/body", "a multipart form may have text before its first boundary and at most 10000 fields", "nobody's form", ""},
		{"url", "URL.createObjectURL is missing", "there is nothing that could load such an address", `URL.createObjectURL === undefined`},
		{"url", "user name, password and host have 2048 characters together at most, a path 4096 segments", "longer ones are no URL; query, fragment and data: addresses may have any length", `!URL.canParse("http://" + "u".repeat(4000) + "@h/") && URL.canParse("http://h/?" + "u".repeat(4000))`},
		{"urlpattern", "the pattern syntax is that of urlpattern-polyfill 10.1", "as in browsers of 2024; URLPattern.compareComponent is not in the standard any more", ""},
		{"streams", "streams are web-streams-polyfill 4.3 and run in JavaScript", "a chunk costs some ten microseconds: send large chunks, or a string or bytes where the whole is known", ""},
		{"encoding", "a TextDecoder of iso-2022-jp forgets its state between pieces", "decode the whole at once", ""},
		{"encoding", "a fatal TextDecoder of gb18030 refuses the written form of U+FFFD", "nobody's text", `(() => { try { new TextDecoder("gb18030", { fatal: true }).decode(new Uint8Array([0x84, 0x31, 0xa4, 0x37])); } catch { return true; } })()`},
		{"compression", "one DecompressionStream gives at most 64 MiB, and 32 streams may be open", "larger data ends with a TypeError, as does a bomb", ""},
	}
}

func dataDeviations() []Deviation {
	return []Deviation{
		{"FileAPI", "a Blob is kept in memory whole, and there is no FileReader", "its size counts against the function's memory; use blob.stream() and blob.text()", `typeof FileReader === "undefined"`},
		{"FileAPI", `endings: "native" makes line feeds`, "as on Linux and macOS", ""},
		{"xhr/formdata", "FormData takes no form element", "there is no document", `(() => { try { new FormData({}); } catch { return true; } })()`},
	}
}

func cryptoDeviations() []Deviation {
	return []Deviation{
		{"WebCryptoAPI", "every operation is computed in the function's own time and cannot be interrupted", "a large key or many rounds of PBKDF2 count against the CPU budget", ""},
		{"WebCryptoAPI", "RSA keys are made with 1024 to 4096 bits and the exponent 65537, and read up to 8192 bits", "use an elliptic curve", `crypto.subtle.generateKey({ name: "RSA-PSS", modulusLength: 8192, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }, true, ["sign"]).then(() => false, (e) => e.name === "OperationError")`},
		{"WebCryptoAPI", "RSA-PSS does not sign without a salt, and verifies saltLength 0 with any salt", "use the length of the hash, as everybody does", `crypto.subtle.generateKey({ name: "RSA-PSS", modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }, true, ["sign"]).then((k) => crypto.subtle.sign({ name: "RSA-PSS", saltLength: 0 }, k.privateKey, new Uint8Array(1))).then(() => false, (e) => e.name === "NotSupportedError")`},
		{"WebCryptoAPI", "AES-GCM has tags of 96 to 128 bits, and of 128 bits alone where the vector has not 96 bits", "shorter tags are no protection", `crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]).then((k) => crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12), tagLength: 32 }, k, new Uint8Array(1))).then(() => false, (e) => e.name === "NotSupportedError")`},
		{"WebCryptoAPI", "PBKDF2 computes at most 2000000 rounds in a call", "600000 rounds of SHA-256, as OWASP asks for, take about 0.2 s", `crypto.subtle.importKey("raw", new Uint8Array(1), "PBKDF2", false, ["deriveBits"]).then((k) => crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(1), iterations: 3000000 }, k, 256)).then(() => false, (e) => e.name === "OperationError")`},
		{"WebCryptoAPI", "HMAC keys have a multiple of 8 bits, and elliptic points are read uncompressed", "keys of other programs are so anyway", ""},
	}
}

func nodeDeviations() []Deviation {
	return []Deviation{
		{"node:async_hooks", "AsyncLocalStorage keeps its store across await, then, timers and queueMicrotask, and loses it after a top-level await, in callbacks that a library calls later and in the then of what an async function returns without awaiting it; createHook is missing", "use AsyncResource.bind there, and return await query; a program that has the module gets generators for its async functions, which take longer to wait and have no name in a trace", ""},
		{"node:buffer", "Buffer is the package buffer 6.0: no transcode, isUtf8, isAscii, no pool", "use TextDecoder", ""},
		{"node:crypto", "random numbers, hashes, HMAC, PBKDF2, HKDF and timingSafeEqual alone; a hash cannot be copied", "use crypto.subtle for ciphers and signatures", ""},
		{"node:events", "the package events 3.3: no captureRejections, no EventEmitterAsyncResource", "listen to error", ""},
		{"node:process", "env is empty, exit throws, and the events of a process never come", "settings come as env of the handler", ""},
		{"node:url", "parse reads addresses as URL does, and domainToUnicode gives the ASCII form", "use URL", ""},
		{"node:util", "inspect writes one line, and types.isProxy is always false", "logs are read by line", ""},
		{"node:assert", "messages show both values and no difference", "read the values", ""},
		{"node", "Buffer and process need no import, and are no properties of globalThis", "write Buffer, not globalThis.Buffer", `!("Buffer" in globalThis) && !("process" in globalThis)`},
		{"node", "fs, net, http, stream, child_process, worker_threads and the rest are missing", "an import of one fails when the app is bundled, with the chain of imports", ""},
	}
}
