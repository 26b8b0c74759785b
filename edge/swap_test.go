package edge_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fazt-sh/fazt/edge"
	"github.com/fazt-sh/fazt/spec"
)

// Generations change under load over real connections: no request fails, every
// answer is wholly of one release, and when it is over nothing is held.
func TestSwapsUnderLoad(t *testing.T) {
	generations := 1000
	if testing.Short() || raced {
		generations = 200
	}
	before := runtime.NumGoroutine()
	b := newBench(t, edge.Config{})
	address, stop := b.run()
	// Eight releases go round, so that the test measures swaps and not the disk.
	releases := make([][]spec.Object, 8)
	for i := range releases {
		revision := fmt.Sprintf("revision-%d", i)
		releases[i] = []spec.Object{
			b.app("large", revision, spec.App{Hosts: []string{"large.test"}}, files{"index.html": strings.Repeat(revision+"\n", 8_000)}),
			b.app("small", revision, spec.App{Hosts: []string{"small.test"}}, files{"index.html": strings.Repeat(revision+"\n", 20)}),
			b.app("still", "revision-s", spec.App{Hosts: []string{"still.test"}}, files{"index.html": "revision-s\n"}),
			limitsObject(spec.Limits{RequestsPerIP: spec.Rate{Rate: 1e9, Burst: 1e9}}), // the load has one address
		}
		b.publish(revision, releases[i]...)
		releases[i], _ = b.Observe(context.Background()) // with blobs: nothing to read from now on
	}
	b.asked()

	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	var answers atomic.Int64
	for i := range 8 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				host := [...]string{"large.test", "small.test", "still.test"}[(i+n)%3]
				if err := wholeAnswer(http.DefaultTransport, address, host, n%50 == 0); err != nil {
					t.Errorf("answer %d of client %d: %v", n, i, err)
					return
				}
				answers.Add(1)
			}
		})
	}
	for i := range generations {
		had := answers.Load()
		b.publish(releases[i%8][0].Revision, releases[i%8]...)
		if i%20 == 0 { // let the load in between swaps, on any machine
			eventually(t, "an answer between swaps", func() bool { return t.Failed() || answers.Load() > had })
		}
	}
	cancel()
	clients.Wait()
	if read := b.asked(); len(read) != 0 {
		t.Errorf("read %d files again", len(read))
	}
	eventually(t, "retired snapshots end", func() bool { return b.Stats() == edge.Stats{Snapshots: 1, Leases: 3} })
	if got := b.Generation(); got != uint64(generations+8) {
		t.Errorf("generation %d", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	t.Logf("%d answers over %d generations", answers.Load(), generations)
}

// wholeAnswer asks for a page and wants every line of it to be the revision in
// the header.
func wholeAnswer(transport http.RoundTripper, address, host string, alone bool) error {
	r, err := http.NewRequest("GET", "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	r.Host, r.Close = host, alone
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	revision := response.Header.Get("Fazt-Revision")
	lines := strings.Count(string(body), "\n")
	if response.StatusCode != 200 || lines == 0 || strings.Count(string(body), revision+"\n") != lines {
		return fmt.Errorf("%d, %q, %.40q", response.StatusCode, revision, body)
	}
	return nil
}

// A request that began before a swap ends on the release it began with, and
// only then is that let go.
func TestARequestKeepsItsSnapshot(t *testing.T) {
	b := newBench(t, edge.Config{})
	began, finish := make(chan struct{}), make(chan struct{})
	b.PublishHandler("a.test", func(w http.ResponseWriter, r *http.Request) error {
		close(began)
		<-finish
		_, err := io.WriteString(w, "old")
		return err
	})
	done := make(chan string)
	go func() {
		w := b.get("http://a.test/")
		done <- w.Header().Get("Fazt-Revision") + " " + w.Body.String()
	}()
	<-began
	b.publish("r2", b.app("a", "r2", spec.App{Hosts: []string{"a.test"}}, files{"index.html": "new"}))
	if got := b.Stats(); got != (edge.Stats{Snapshots: 2, Requests: 1, Leases: 1}) {
		t.Errorf("%+v", got)
	}
	if w := b.get("http://a.test/"); w.Body.String() != "new" {
		t.Errorf("%s", w.Body)
	}
	close(finish)
	if got := <-done; got != "test old" {
		t.Errorf("%s", got)
	}
	if got := b.Stats(); got != (edge.Stats{Snapshots: 1, Leases: 1}) {
		t.Errorf("%+v", got)
	}
}

// Publishing one change among many apps costs what the change costs: no file
// is looked at and few things are made.
func TestASwapOfManyAppsIsCheap(t *testing.T) {
	cost := func(apps int) float64 {
		b := newBench(t, edge.Config{})
		objects := make([]spec.Object, apps)
		for i := range objects {
			objects[i] = b.app(fmt.Sprintf("app-%04d", i), "r1", spec.App{}, files{"index.html": fmt.Sprint(i % 10)})
		}
		b.publish("r1", objects...)
		page := 0
		return testing.AllocsPerRun(5, func() {
			page++
			objects[apps/2] = b.app(objects[apps/2].Name, "r2", spec.App{}, files{"index.html": fmt.Sprint(page % 10)})
			b.publish("r2", objects...)
		})
	}
	few, many := cost(10), cost(2000)
	// A candidate for each app and the growth of two maps, not handlers or files.
	if perApp := (many - few) / 1990; perApp > 2 {
		t.Errorf("%.1f allocations for an app that did not change", perApp)
	}
}
