package edge

import (
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/fazt-sh/fazt/edge/limit"
)

// layer is a station of a request that may say no.
type layer int

// The layers, in the order in which a request meets them. What is refused
// before there is a request is counted by edge/listen.
const (
	layerNone      layer = iota
	layerHandshake       // TLS did not come about
	layerClient          // too many requests of one client
	layerRequest         // a request nobody should have to look at
	layerHost            // no app has the host
	layerScheme          // plain HTTP where there is TLS
	layerAPI             // a command of somebody nobody knows
	layerApp             // an app's own rate, concurrency or budget
	layerBody            // too large or too slow
	layerStream          // a connection that kept resetting streams
	layers
)

// String is the layer's name in metrics and on the status page.
func (l layer) String() string {
	return [...]string{"", "handshake", "client", "request", "host", "scheme", "api", "app", "body", "stream"}[l]
}

// counters are what the stack did since the process began.
type counters struct {
	answers [6]atomic.Int64 // by the first digit of the status; 0: cut short
	bytes   atomic.Int64    // of bodies
	refused [layers]atomic.Int64
}

// answered notes a finished request.
func (c *counters) answered(status int, bytes int64) {
	class := status / 100
	if class < 0 || class >= len(c.answers) {
		class = 0
	}
	c.answers[class].Add(1)
	c.bytes.Add(bytes)
}

// refuse notes an error at the layer it came from.
func (c *counters) refuse(err error) {
	var own *refusal
	var over limit.Refusal
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &over) && over.Kind == limit.ByClient:
		c.refused[layerClient].Add(1)
	case errors.As(err, &over):
		c.refused[layerApp].Add(1)
	case errors.As(err, &own):
		c.refused[own.layer].Add(1)
	case errors.As(err, &large), statusOf(err) == http.StatusRequestTimeout:
		c.refused[layerBody].Add(1)
	}
}

// answersByClass are the finished requests by class of status.
func (c *counters) answersByClass() map[string]int64 {
	by := map[string]int64{}
	for class, name := range []string{"cut", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		by[name] = c.answers[class].Load()
	}
	return by
}

// refusedByLayer are the refusals by the layer that said no.
func (c *counters) refusedByLayer() map[string]int64 {
	by := map[string]int64{}
	for l := layerNone + 1; l < layers; l++ {
		by[l.String()] = c.refused[l].Load()
	}
	return by
}
