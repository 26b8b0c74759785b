package listen

import "syscall"

// deferAccept has the kernel hand over a connection with its first bytes, so
// that one which says nothing costs no descriptor and no goroutine at first. It
// is a delay, not a defence: set to one second, a silent connection arrives
// after 1.06 s, and the deadlines take it from there. A kernel without it does
// no harm, so its error is nobody's.
func deferAccept(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 1)
}

// accepting reports whether a descriptor is a socket that listens: net hands
// out a listener for a connected one, too.
func accepting(fd uintptr) bool {
	on, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	return err == nil && on != 0
}
