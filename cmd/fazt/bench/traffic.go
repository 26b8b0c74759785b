package main

import (
	"fmt"
	"strconv"
)

// seeds is how many keys, documents and records are there to be read.
const seeds = 1000

// note is what is stored everywhere, 120 bytes or so of JSON. %s is for its id.
const note = `{%s"title":"Something to remember","body":"Bring the small ladder back to the second floor.","done":false}`

// seedID is an id that PocketBase accepts, too.
func seedID(n int) string { return fmt.Sprintf("seed%011d", n) }

// post is a request with a body.
func (s *server) post(method, path, body string) []byte {
	return []byte(method + " " + path + " HTTP/1.1\r\nHost: " + s.host + "\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// some spreads the requests of all connections over n things.
func some(conn, i, n int) int { return (conn*7919 + i*104_729) % n }

func keyRead(s *server, conn, i int) []byte {
	return s.request("/api/keys/" + seedID(some(conn, i, seeds)))
}

func keyWrite(s *server, conn, i int) []byte {
	return s.post("PUT", "/api/keys/key-"+strconv.Itoa(some(conn, i, 10*seeds)), fmt.Sprintf(note, ""))
}

func docRead(s *server, conn, i int) []byte {
	return s.request("/api/notes/" + seedID(some(conn, i, seeds)))
}

func docInsert(s *server, _, _ int) []byte {
	return s.post("POST", "/api/notes", fmt.Sprintf(note, ""))
}

func recordRead(s *server, conn, i int) []byte {
	return s.request("/api/collections/notes/records/" + seedID(some(conn, i, seeds)))
}

func recordCreate(s *server, _, _ int) []byte {
	return s.post("POST", "/api/collections/notes/records", fmt.Sprintf(note, ""))
}

// mixed reads 70 times of 100 and writes 30 times.
func mixed(read, write traffic) traffic {
	return func(s *server, conn, i int) []byte {
		if (conn+i)*7%10 < 7 {
			return read(s, conn, i)
		}
		return write(s, conn, i)
	}
}

// all is everything that the app of the benchmark does, in turn.
func all(s *server, conn, i int) []byte {
	return [...]traffic{keyRead, keyWrite, docRead, docInsert}[(conn+i)%4](s, conn, i)
}

// seedNotes is the traffic that makes what is read later: one connection, seeds
// requests.
func seedNotes(path, idField string) traffic {
	return func(s *server, _, i int) []byte {
		return s.post("POST", path, fmt.Sprintf(note, fmt.Sprintf("%q:%q,", idField, seedID(i))))
	}
}

func seedKeys(s *server, _, i int) []byte {
	return s.post("PUT", "/api/keys/"+seedID(i), fmt.Sprintf(note, ""))
}

// seed sends the traffic of seeds.
func seed(s *server, of ...traffic) error {
	for _, ask := range of {
		if r, err := loadWith(s, ask, 1, counting(seeds)); err != nil || r.notOK > 0 {
			return fmt.Errorf("seeds: %w", orNotOK(err, r))
		}
	}
	return nil
}
