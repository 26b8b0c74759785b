package static_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/fazt-sh/fazt/edge/static"
	"pgregory.net/rapid"
)

func readAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	text    = strings.Repeat("the same words again and again, ", 200)
	picture = strings.Repeat("0123456789", 100)
	large   = strings.Repeat("0123456789abcdef", 40_000) // over what is kept in memory
)

func mixed(t testing.TB) site {
	return newSite(t, map[string]string{"page.txt": text, "p.png": picture, "large.png": large, "empty.png": ""})
}

func TestNegotiation(t *testing.T) {
	s := mixed(t)
	for accept, want := range map[string]string{
		"":                                "identity",
		"gzip, deflate, br, zstd":         "best",
		"gzip":                            "gzip",
		"GZIP":                            "gzip",
		"x-gzip":                          "gzip",
		"zstd":                            "zstd",
		"br;q=0.1, gzip;q=0.9":            "gzip",
		"br ; q=0.001":                    "br",
		"*":                               "best",
		"*;q=0.5, br;q=0, zstd;q=0":       "gzip",
		"deflate":                         "identity",
		"identity":                        "identity",
		"identity, gzip;q=0.5":            "identity",
		"identity;q=0.5, gzip;q=0.4":      "identity",
		"br;q=0":                          "identity",
		"gzip;q=2":                        "identity",
		"gzip;q=x, br;q=0.5":              "br",
		"gzip;q=1.000;x=y":                "gzip",
		"identity;q=0":                    "406",
		"*;q=0":                           "406",
		"*;q=0, gzip":                     "gzip",
		"identity;q=0, gzip;q=0, br;q=0.": "406",
		"identity;q=0, deflate":           "406",
		",,;,br":                          "br",
	} {
		resp := s.get("/page.txt", "Accept-Encoding", accept)
		got := resp.Header.Get("Content-Encoding")
		switch {
		case resp.StatusCode != 200:
			got = fmt.Sprint(resp.StatusCode)
		case got == "":
			got = "identity"
		}
		if got != want && (want != "best" || got == "identity") {
			t.Errorf("%q = %s, want %s", accept, got, want)
		}
		if resp.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: vary %q", accept, resp.Header["Vary"])
		}
	}
	if resp := s.get("/page.txt"); resp.Header.Get("Content-Encoding") != "" {
		t.Error("encoded for a client that did not ask")
	}
	if resp := s.get("/p.png", "Accept-Encoding", "br"); resp.Header.Get("Vary") != "" || resp.StatusCode != 200 {
		t.Errorf("a picture has one form: %v", resp.Header)
	}
}

// Of equals the smallest is sent.
func TestSmallestOfEquals(t *testing.T) {
	s := mixed(t)
	best := s.get("/page.txt", "Accept-Encoding", "gzip, br, zstd").ContentLength
	for _, e := range []string{"br", "gzip", "zstd"} {
		if n := s.get("/page.txt", "Accept-Encoding", e).ContentLength; n < best {
			t.Errorf("%s has %d bytes, less than the %d sent", e, n, best)
		}
	}
}

func decoded(t testing.TB, s site, resp *http.Response) string {
	b := readAll(t, resp)
	switch resp.Header.Get("Content-Encoding") {
	case "gzip":
		r, err := gzip.NewReader(strings.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(plain)
	case "": // as it is
		return b
	default:
		// The store's own tests decode these two; here it is enough that the
		// bytes are the variant's.
		want := s.get("/page.txt", "Accept-Encoding", resp.Header.Get("Content-Encoding"))
		if b == readAll(t, want) {
			return text
		}
		return b
	}
}

// Whatever a client says it accepts, what it gets decodes to the file, or it is
// told that there is nothing for it.
func TestAnyAcceptEncoding(t *testing.T) {
	s := mixed(t)
	part := rapid.StringMatching(`(gzip|br|zstd|identity|\*|deflate|x)?( ?; ?q=[01]?\.?[0-9]{0,4})?`)
	rapid.Check(t, func(rt *rapid.T) {
		accept := strings.Join(rapid.SliceOfN(part, 0, 6).Draw(rt, "parts"), ",")
		resp := s.get("/page.txt", "Accept-Encoding", accept)
		if resp.StatusCode == 406 && strings.Contains(accept, "q=0") {
			return
		}
		if resp.StatusCode != 200 || decoded(t, s, resp) != text {
			rt.Fatalf("%q = %d", accept, resp.StatusCode)
		}
	})
}

// The preconditions of RFC 9110, section 13, in their order.
func TestPreconditions(t *testing.T) {
	s := mixed(t)
	etag := s.get("/page.txt").Header.Get("Etag")
	gz := s.get("/page.txt", "Accept-Encoding", "gzip").Header.Get("Etag")
	if etag == gz {
		t.Fatal("forms share an etag")
	}
	const past, future = "Mon, 01 Jan 1990 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
	for i, c := range []struct {
		status  int
		headers []string
	}{
		{304, []string{"If-None-Match", etag}},
		{304, []string{"If-None-Match", "W/" + etag}},
		{304, []string{"If-None-Match", "*"}},
		{304, []string{"If-None-Match", `"x", W/"y",` + etag}},
		{304, []string{"If-None-Match", `"x"`, "If-None-Match", etag}},
		{304, []string{"If-None-Match", `"a,b" , ` + etag}},
		{200, []string{"If-None-Match", `"x"`}},
		{200, []string{"If-None-Match", gz}},
		{200, []string{"If-None-Match", strings.Trim(etag, `"`)}},
		{200, []string{"If-None-Match", `"`}},
		{200, []string{"If-None-Match", ""}},
		{304, []string{"If-None-Match", gz, "Accept-Encoding", "gzip"}},
		{200, []string{"If-None-Match", etag, "Accept-Encoding", "gzip"}},
		{200, []string{"If-Match", etag}},
		{200, []string{"If-Match", "*"}},
		{412, []string{"If-Match", `"x"`}},
		{412, []string{"If-Match", "W/" + etag}},
		{412, []string{"If-Match", ""}},
		{412, []string{"If-Match", `"x"`, "If-None-Match", etag}},
		{304, []string{"If-Match", etag, "If-None-Match", etag}},
		{200, []string{"If-Unmodified-Since", past}},
		{200, []string{"If-Modified-Since", future}},
		{200, []string{"If-None-Match", `"x"`, "If-Modified-Since", future}},
		{304, []string{"If-None-Match", etag, "If-Modified-Since", past, "Range", "bytes=0-1"}},
		{412, []string{"If-Match", `"x"`, "Range", "bytes=0-1"}},
		{206, []string{"Range", "bytes=0-1"}},
		{206, []string{"Range", "bytes=0-1", "If-Range", etag}},
		{206, []string{"Range", "bytes=0-1", "If-Match", etag}},
		{200, []string{"Range", "bytes=0-1", "If-Range", "W/" + etag}},
		{200, []string{"Range", "bytes=0-1", "If-Range", `"x"`}},
		{200, []string{"Range", "bytes=0-1", "If-Range", future}},
		{200, []string{"Range", "bytes=99999-", "If-Range", `"x"`}},
		{416, []string{"Range", "bytes=99999-", "If-Range", etag}},
		{206, []string{"Range", "bytes=0-1", "If-Range", gz, "Accept-Encoding", "gzip"}},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			want := c.status
			if method == "HEAD" && (want == 206 || want == 416) {
				want = 200 // ranges are for GET
			}
			resp := s.ask(method, "/page.txt", c.headers...)
			if resp.StatusCode != want {
				t.Errorf("%d: %s %v = %d, want %d", i, method, c.headers, resp.StatusCode, want)
			}
			if h := resp.Header; resp.StatusCode == 304 &&
				(h.Get("Etag") == "" || h.Get("Cache-Control") == "" || h.Get("Vary") == "" || len(h["Content-Length"])+len(h["Content-Type"]) > 0) {
				t.Errorf("%d: headers of the 304 %v", i, h)
			}
		}
	}
}

func TestRanges(t *testing.T) {
	s := mixed(t)
	eight := "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14"
	for header, want := range map[string]string{
		"bytes=0-4":                          "206 bytes 0-4/1000",
		"bytes=5-":                           "206 bytes 5-999/1000",
		"bytes=-5":                           "206 bytes 995-999/1000",
		"bytes=-5000":                        "206 bytes 0-999/1000",
		"bytes=990-5000":                     "206 bytes 990-999/1000",
		"BYTES=0-0":                          "206 bytes 0-0/1000",
		"bytes= 0-4 ,":                       "206 bytes 0-4/1000",
		"bytes=0-4,5-9":                      "206 bytes 0-9/1000",
		"bytes=0-9,5-20,-980":                "206 bytes 0-999/1000",
		"bytes=20-30,0-9,8-25":               "206 bytes 0-30/1000",
		"bytes=0-4,2000-":                    "206 bytes 0-4/1000",
		"bytes=1000-":                        "416 bytes */1000",
		"bytes=1000-1001,2000-":              "416 bytes */1000",
		"bytes=-0":                           "416 bytes */1000",
		eight + ",16-16":                     "416 bytes */1000",
		"bytes=0-99999999999999999999999999": "206 bytes 0-999/1000",
		"bytes=99999999999999999999999999-":  "416 bytes */1000",
		"bytes=5-4":                          "200 ",
		"bytes=":                             "200 ",
		"bytes=,":                            "200 ",
		"bytes=-":                            "200 ",
		"bytes=a-b":                          "200 ",
		"bytes=1-2-3":                        "200 ",
		"bytes=+1-2":                         "200 ",
		"bytes=0-4;5-9":                      "200 ",
		"lines=0-4":                          "200 ",
		"0-4":                                "200 ",
		"":                                   "200 ",
	} {
		resp := s.get("/p.png", "Range", header)
		if got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Range")); got != want {
			t.Errorf("%q = %q, want %q", header, got, want)
		}
		if n := len(readAll(t, resp)); fmt.Sprint(n) != resp.Header.Get("Content-Length") {
			t.Errorf("%q: %d bytes, said %s", header, n, resp.Header.Get("Content-Length"))
		}
	}
	if resp := s.get("/p.png", "Range", "bytes=0-1", "Range", "bytes=4-5"); resp.StatusCode != 200 {
		t.Errorf("two headers = %d", resp.StatusCode)
	}
	if resp := s.get("/empty.png", "Range", "bytes=0-"); resp.StatusCode != 200 {
		t.Errorf("of nothing = %d", resp.StatusCode)
	}
	if resp := s.get("/p.png", "Range", eight); resp.StatusCode != 206 || len(parts(t, resp)) != 8 {
		t.Errorf("eight ranges = %d", resp.StatusCode)
	}
	back := parts(t, s.get("/large.png", "Range", "bytes=600000-600009,0-4"))
	if back["bytes 600000-600009/640000"] != large[600000:600010] || back["bytes 0-4/640000"] != large[:5] {
		t.Errorf("parts in the client's order: %v", back)
	}
	many := "bytes=0-" + strings.Repeat(",0-", 999)
	if resp := s.get("/large.png", "Range", many); resp.StatusCode != 416 || len(readAll(t, resp)) != 0 {
		t.Errorf("a thousand overlapping ranges = %d", resp.StatusCode)
	}
}

// A part of an encoded body is a part of its bytes, labelled with the encoding;
// several parts could not be labelled, so the whole is sent.
func TestRangesOfEncodedBodies(t *testing.T) {
	s := mixed(t)
	whole := readAll(t, s.get("/page.txt", "Accept-Encoding", "gzip"))
	resp := s.get("/page.txt", "Accept-Encoding", "gzip", "Range", "bytes=3-9")
	if got := readAll(t, resp); resp.StatusCode != 206 || resp.Header.Get("Content-Encoding") != "gzip" || got != whole[3:10] {
		t.Errorf("one part = %d %q", resp.StatusCode, got)
	}
	resp = s.get("/page.txt", "Accept-Encoding", "gzip", "Range", "bytes=3-9,20-25")
	if got := readAll(t, resp); resp.StatusCode != 200 || got != whole {
		t.Errorf("two parts = %d", resp.StatusCode)
	}
}

// parts reads a multipart/byteranges answer as Content-Range → bytes.
func parts(t testing.TB, resp *http.Response) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		t.Fatalf("type %q: %v", resp.Header.Get("Content-Type"), err)
	}
	all := readAll(t, resp)
	if fmt.Sprint(len(all)) != resp.Header.Get("Content-Length") {
		t.Errorf("%d bytes, said %s", len(all), resp.Header.Get("Content-Length"))
	}
	found := map[string]string{}
	for r := multipart.NewReader(strings.NewReader(all), params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil || p.Header.Get("Content-Type") != "image/png" {
			t.Fatal(err, p.Header)
		}
		found[p.Header.Get("Content-Range")] = string(b)
	}
}

// Whatever a Range header says, the bytes sent are those of the body at the
// places named, or it is 416, or the header is ignored and all are sent.
func TestAnyRange(t *testing.T) {
	s := mixed(t)
	spec := rapid.OneOf(rapid.StringMatching(`[0-9]{0,4}-[0-9]{0,4}`), rapid.StringMatching(`[0-9]{0,7}-[0-9]{0,7}`), rapid.StringMatching(`[ 0-9a,-]{0,6}`))
	rapid.Check(t, func(rt *rapid.T) {
		header := "bytes=" + strings.Join(rapid.SliceOfN(spec, 1, 10).Draw(rt, "specs"), ",")
		file, whole := "/p.png", picture
		if rapid.Bool().Draw(rt, "large") {
			file, whole = "/large.png", large
		}
		resp := s.get(file, "Range", header)
		if resp.StatusCode == 416 && resp.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", len(whole)) {
			return
		}
		if resp.StatusCode == 200 {
			if readAll(t, resp) != whole {
				rt.Fatalf("%q: other bytes", header)
			}
			return
		}
		got := map[string]string{resp.Header.Get("Content-Range"): ""}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "multipart/") {
			got = parts(t, resp)
		} else {
			got[resp.Header.Get("Content-Range")] = readAll(t, resp)
		}
		for place, b := range got {
			var from, to, size int
			if _, err := fmt.Sscanf(place, "bytes %d-%d/%d", &from, &to, &size); err != nil || size != len(whole) {
				rt.Fatalf("%q: %q, %v", header, place, err)
			}
			if b != whole[from:to+1] {
				rt.Fatalf("%q: other bytes at %s", header, place)
			}
		}
	})
}

// Parsed parts lie within the body, apart from each other, and together hold
// exactly the bytes that were asked for.
func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-4", "bytes=-5,3-", "bytes=9-,0-1,1-2", "x", "bytes=99999999999999999999-1"} {
		f.Add(seed, int64(20))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		size &= 0xffff
		pairs, ok := static.ParseSpans(header, size)
		if !ok && len(pairs) > 0 || len(pairs) > 8 {
			t.Fatalf("%q: %v", header, pairs)
		}
		seen := make([]bool, size+1)
		for _, p := range pairs {
			if p[0] < 0 || p[1] <= 0 || p[0]+p[1] > size {
				t.Fatalf("%q: %v of %d", header, p, size)
			}
			if seen[p[0]+p[1]] || p[0] > 0 && seen[p[0]-1] {
				t.Fatalf("%q: %v touches another", header, p)
			}
			for i := p[0]; i < p[0]+p[1]; i++ {
				if seen[i] {
					t.Fatalf("%q: byte %d twice", header, i)
				}
				seen[i] = true
			}
		}
	})
}

func FuzzAcceptEncoding(f *testing.F) {
	s := newSite(f, map[string]string{"page.txt": text})
	for _, seed := range []string{"gzip, br;q=0.5", "*;q=0", "identity;q=0.", ";;,q=", "gzip;q=0.0001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if strings.ContainsAny(accept, "\r\n") {
			return
		}
		resp := s.get("/page.txt", "Accept-Encoding", accept)
		switch e := resp.Header.Get("Content-Encoding"); {
		case resp.StatusCode == 406:
			if !strings.Contains(accept, "0") {
				t.Errorf("%q refuses nothing", accept)
			}
		case e != "" && !strings.Contains(strings.ToLower(accept), e) && !strings.Contains(accept, "*"):
			t.Errorf("%q got %s", accept, e)
		case e == "" && !bytes.Equal([]byte(readAll(t, resp)), []byte(text)):
			t.Errorf("%q: other bytes", accept)
		}
	})
}
