package edge

import (
	"context"
	"net"

	"github.com/fazt-sh/fazt/edge/listen"
)

// bind is Config.Listen where nobody gives another.
func bind(network, address string) (net.Listener, error) {
	return listen.Listen(context.Background(), network, address)
}
