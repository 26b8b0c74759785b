//go:build integration

package main

import (
	"fmt"
	"strings"
)

// ruling is what RFC 9112 leaves a server to do with a request.
type ruling string

const (
	serves  ruling = "serves"  // answer it, and keep the connection
	closes  ruling = "closes"  // answer it in any way, and close the connection
	refuses ruling = "refuses" // 4xx or 5xx, and close the connection
	rejects ruling = "rejects" // 4xx or 5xx; how long the request is was never in doubt
)

// payload is a request, or what looks like one, as bytes. {m} stands for its own
// page, {s} for the page only a smuggled request asks for, {h} for the host. The
// name of the page is how the access log tells of which payload a line is.
type payload struct {
	name string
	want ruling
	raw  string
}

// asks spells a request to the payload's own page: its method, its fields after
// Host, and what follows the head.
func asks(method, fields, body string) string {
	if fields != "" {
		fields += "\r\n"
	}
	return method + " {m} HTTP/1.1\r\nHost: {h}\r\n" + fields + "\r\n" + body
}

// smuggled is a whole request, for where a body is.
const smuggled = "GET {s} HTTP/1.1\r\nHost: {h}\r\n\r\n"

const (
	chunked = "Transfer-Encoding: chunked"
	hello   = "5\r\nhello\r\n0\r\n\r\n"
)

// payloads are every way of being wrong, or right in an unusual way, about where
// a request ends.
func payloads() []payload {
	all := codings()
	all = append(all, lengths()...)
	all = append(all, chunks()...)
	all = append(all, lines()...)
	return append(all, targets()...)
}

// codings are Transfer-Encoding, alone and beside Content-Length: whatever the
// answer, the connection ends (RFC 9112, 6.1 and 6.3).
func codings() []payload {
	inChunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(expand("te-cl-smuggle", smuggled)), smuggled)
	inLength := len(expand("cl-te-smuggle", "0\r\n\r\n"+smuggled))
	return []payload{
		{"te-chunked", closes, asks("POST", chunked, hello)},
		{"te-chunked-get", closes, asks("GET", chunked, hello)},
		{"te-case", closes, asks("POST", "tRANSFER-eNCODING: ChUnKeD", hello)},
		{"cl-te", closes, asks("POST", "Content-Length: 15\r\n"+chunked, hello)},
		{"te-cl", closes, asks("POST", chunked+"\r\nContent-Length: 15", hello)},
		{"cl-te-smuggle", closes, asks("POST", fmt.Sprintf("Content-Length: %d\r\n%s", inLength, chunked), "0\r\n\r\n"+smuggled)},
		{"te-cl-smuggle", closes, asks("POST", "Content-Length: 4\r\n"+chunked, inChunk)},
		{"te-identity", refuses, asks("POST", "Transfer-Encoding: identity", hello)},
		{"te-identity-cl", refuses, asks("POST", "Content-Length: 5\r\nTransfer-Encoding: identity", "hello")},
		{"te-gzip-chunked", refuses, asks("POST", "Transfer-Encoding: gzip, chunked", hello)},
		{"te-chunked-gzip", refuses, asks("POST", "Transfer-Encoding: chunked, gzip", hello)},
		{"te-chunked-twice", refuses, asks("POST", "Transfer-Encoding: chunked, chunked", hello)},
		{"te-two-lines", refuses, asks("POST", chunked+"\r\nTransfer-Encoding: identity", hello)},
		{"te-xchunked", refuses, asks("POST", "Transfer-Encoding: xchunked", hello)},
		{"te-quoted", refuses, asks("POST", "Transfer-Encoding: \"chunked\"", hello)},
		{"te-vtab", refuses, asks("POST", "Transfer-Encoding: \vchunked", hello)},
		{"te-nul", refuses, asks("POST", "Transfer-Encoding: chunked\x00", hello)},
		{"te-empty", refuses, asks("POST", "Transfer-Encoding: ", "")},
		{"te-space-colon", refuses, asks("POST", "Transfer-Encoding : chunked", hello)},
		{"te-obs-fold", closes, asks("POST", "Transfer-Encoding:\r\n chunked", hello)},
		{"te-http10", closes, "POST {m} HTTP/1.0\r\nHost: {h}\r\nConnection: keep-alive\r\n" + chunked + "\r\n\r\n" + hello},
		{"te-underscore", serves, asks("POST", "Transfer_Encoding: chunked\r\nContent-Length: 15", hello)},
	}
}

// lengths are Content-Length alone.
func lengths() []payload {
	return []payload{
		{"cl", serves, asks("POST", "Content-Length: 5", "hello")},
		{"cl-get", serves, asks("GET", "Content-Length: 5", "hello")},
		{"cl-twice-equal", serves, asks("POST", "Content-Length: 5\r\nContent-Length: 5", "hello")},
		{"cl-twice-different", refuses, asks("POST", "Content-Length: 5\r\nContent-Length: 6", "hello")},
		{"cl-twice-spelt", refuses, asks("POST", "Content-Length: 5\r\nContent-Length: 05", "hello")},
		{"cl-list", refuses, asks("POST", "Content-Length: 5, 5", "hello")},
		{"cl-list-different", refuses, asks("POST", "Content-Length: 5, 6", "hello")},
		{"cl-plus", refuses, asks("POST", "Content-Length: +5", "hello")},
		{"cl-minus", refuses, asks("POST", "Content-Length: -5", "hello")},
		{"cl-hex", refuses, asks("POST", "Content-Length: 0x5", "hello")},
		{"cl-space", refuses, asks("POST", "Content-Length: 1 5", "hello")},
		{"cl-empty", refuses, asks("POST", "Content-Length: ", "")},
		{"cl-overflow", refuses, asks("POST", "Content-Length: 18446744073709551621", "hello")},
		{"cl-too-large", refuses, asks("POST", "Content-Length: 99999999", "hello")},
		{"cl-longer", closes, asks("POST", "Content-Length: 500000", "hello")},
	}
}

// chunks are bodies whose parts do not add up: the answer may be that of the
// page, but nothing behind the body is a request.
func chunks() []payload {
	body := func(text string) string { return asks("POST", chunked, text) }
	return []payload{
		{"chunk-extension", closes, body("5;a=b\r\nhello\r\n0\r\n\r\n")},
		{"chunk-extension-lf", closes, body("5;a\nhello\r\n0\r\n\r\n" + smuggled)},
		{"chunk-bare-lf", closes, body("5\nhello\n0\n\n" + smuggled)},
		{"chunk-hex-prefix", closes, body("0x5\r\nhello\r\n0\r\n\r\n" + smuggled)},
		{"chunk-overflow", closes, body("10000000000000005\r\nhello\r\n0\r\n\r\n" + smuggled)},
		{"chunk-minus", closes, body("-5\r\nhello\r\n0\r\n\r\n" + smuggled)},
		{"chunk-empty-size", closes, body("\r\nhello\r\n0\r\n\r\n" + smuggled)},
		{"chunk-space", closes, body("5 \r\nhello\r\n0\r\n\r\n" + smuggled)},
		{"chunk-no-crlf", closes, body("5\r\nhelloX\r\n0\r\n\r\n" + smuggled)},
		{"chunk-trailer-cl", closes, body("5\r\nhello\r\n0\r\nContent-Length: 50\r\nHost: evil.test\r\n\r\n" + smuggled)},
		{"chunk-leading-zeros", closes, body(strings.Repeat("0", 20) + "5\r\nhello\r\n0\r\n\r\n" + smuggled)},
	}
}

// lines are heads with lines that are none, or that two readers read as two
// things.
func lines() []payload {
	field := func(text string) string { return asks("GET", text, "") }
	return []payload{
		{"plain", serves, field("")},
		{"bare-lf", serves, "GET {m} HTTP/1.1\nHost: {h}\n\n"},
		{"bare-cr", refuses, "GET {m} HTTP/1.1\rHost: {h}\r\r"},
		{"cr-in-value", refuses, field("X-A: b\rTransfer-Encoding: chunked")},
		{"nul-in-value", refuses, field("X-A: b\x00c")},
		{"nul-in-name", refuses, field("X-\x00A: b")},
		{"obs-fold", serves, field("X-A: b\r\n c")},
		{"fold-first", refuses, "GET {m} HTTP/1.1\r\n X-A: b\r\nHost: {h}\r\n\r\n"},
		{"space-colon", refuses, field("X-A : b")},
		{"no-colon", refuses, field("X-A")},
		{"no-name", refuses, field(": b")},
		{"bad-name", refuses, field("X(A): b")},
		{"obs-text", serves, field("X-A: \xe9")},
		{"head-too-long", refuses, field("X-A: " + strings.Repeat("a", 64<<10))},
		{"too-many-fields", rejects, field(strings.Repeat("X-A: b\r\n", 150) + "X-B: c")},
		{"leading-crlf", refuses, "\r\n\r\n" + field("")},
		{"error-then-request", refuses, field("X-A : b") + smuggled},
		{"two-then-error", refuses, field("") + field("") + field("X-A : b")},
		{"expect-continue", closes, asks("POST", "Expect: 100-continue\r\nContent-Length: 5", "hello")},
		{"expect-other", closes, asks("POST", "Expect: a-miracle\r\nContent-Length: 5", "hello")},
		{"upgrade-websocket", serves, field("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")},
		{"upgrade-h2c", serves, field("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__")},
		{"connection-host", serves, field("Connection: keep-alive, host")},
	}
}

// targets are request lines and hosts.
func targets() []payload {
	start := func(line string) string { return line + "\r\nHost: {h}\r\n\r\n" }
	host := func(lines string) string { return "GET {m} HTTP/1.1\r\n" + lines + "\r\n" }
	return []payload{
		{"host-missing", refuses, host("")},
		{"host-empty", rejects, host("Host: \r\n")},
		{"host-twice-equal", refuses, host("Host: {h}\r\nHost: {h}\r\n")},
		{"host-twice-different", refuses, host("Host: {h}\r\nHost: evil.test\r\n")},
		{"host-comma", rejects, host("Host: {h}, evil.test\r\n")},
		{"host-userinfo", rejects, host("Host: evil.test@{h}\r\n")},
		{"host-path", rejects, host("Host: {h}/x\r\n")},
		{"host-fold", rejects, host("Host: {h}\r\n evil.test\r\n")},
		{"absolute-same", serves, start("GET http://{h}{m} HTTP/1.1")},
		{"absolute-other", rejects, start("GET http://evil.test{m} HTTP/1.1")},
		{"absolute-wins", serves, "GET http://{h}{m} HTTP/1.1\r\nHost: evil.test\r\n\r\n"},
		{"absolute-userinfo", rejects, start("GET http://{h}@evil.test{m} HTTP/1.1")},
		{"http09", refuses, "GET {m}\r\n"},
		{"http10", closes, start("GET {m} HTTP/1.0")},
		{"http10-keep-alive", closes, "GET {m} HTTP/1.0\r\nHost: {h}\r\nConnection: keep-alive\r\n\r\n"},
		{"http10-no-host", closes, "GET {m} HTTP/1.0\r\n\r\n"},
		{"http12", serves, start("GET {m} HTTP/1.2")},
		{"http20", refuses, start("GET {m} HTTP/2.0")},
		{"http-lower", refuses, start("GET {m} http/1.1")},
		{"http110", refuses, start("GET {m} HTTP/1.10")},
		{"line-two-spaces", refuses, start("GET  {m} HTTP/1.1")},
		{"line-tab", refuses, start("GET\t{m}\tHTTP/1.1")},
		{"line-target-space", refuses, start("GET {m} x HTTP/1.1")},
		{"line-no-target", refuses, start("GET HTTP/1.1")},
		{"line-leading-space", refuses, start(" GET {m} HTTP/1.1")},
		{"method-lower", rejects, start("get {m} HTTP/1.1")},
		{"method-bad", refuses, start("G(T {m} HTTP/1.1")},
		{"target-relative", refuses, start("GET x{m} HTTP/1.1")},
		{"target-control", refuses, start("GET {m}\x01 HTTP/1.1")},
		{"options-star", closes, start("OPTIONS * HTTP/1.1\r\nUser-Agent: {m}")},
		{"get-star", closes, start("GET * HTTP/1.1\r\nUser-Agent: {m}")},
		{"connect", refuses, "CONNECT {h}:80 HTTP/1.1\r\nHost: {h}:80\r\nUser-Agent: {m}\r\n\r\n"},
		{"connect-path", refuses, start("CONNECT {m} HTTP/1.1")},
		{"pri", refuses, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"},
		{"trace", rejects, start("TRACE {m} HTTP/1.1")},
		{"tls-hello", refuses, "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n"},
	}
}
