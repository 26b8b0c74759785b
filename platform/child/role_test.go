package child_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fazt-sh/fazt/platform/child"
)

func roles() map[string]child.Role {
	return map[string]child.Role{
		"echo":    echo,
		"silent":  func(context.Context, *child.Conn) error { return nil },
		"fail":    func(context.Context, *child.Conn) error { return errors.New("no such luck") },
		"panic":   func(context.Context, *child.Conn) error { panic("oh") },
		"memory":  eatMemory,
		"stack":   func(context.Context, *child.Conn) error { return fmt.Errorf("depth %d", descend(0)) },
		"spin":    func(context.Context, *child.Conn) error { return spin() },
		"stuck":   stuck,
		"chatter": chatter,
		"garbage": func(context.Context, *child.Conn) error { return writeRaw([]byte("\xff\xff\xff\xffhello")) },
		"half":    func(context.Context, *child.Conn) error { return writeRaw([]byte("\x00\x00\x00\x0ahel")) },
		"look":    look,
		"work":    work,
		"peek":    peek,
	}
}

func echo(_ context.Context, c *child.Conn) error {
	for {
		frame, err := c.ReadFrame()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.WriteFrame(frame); err != nil {
			return err
		}
	}
}

func eatMemory(_ context.Context, c *child.Conn) error {
	var kept [][]byte
	for {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = 1
		}
		kept = append(kept, b)
		if len(kept) == 1<<20 {
			return c.WriteFrame(kept[0])
		}
	}
}

func descend(n int) int {
	if n < 0 {
		return 0
	}
	var room [128]byte
	room[n%128] = byte(n)
	return descend(n+1) + int(room[0])
}

func spin() error {
	for n := uint64(1); n != 0; n += 2 {
	}
	return nil
}

// stuck neither computes nor reads.
func stuck(context.Context, *child.Conn) error {
	var forever sync.Mutex
	forever.Lock()
	time.AfterFunc(time.Hour, forever.Unlock) // or the runtime calls it a deadlock
	forever.Lock()
	return nil
}

func chatter(context.Context, *child.Conn) error {
	fmt.Fprintln(os.Stderr, "first words")
	for range 10000 {
		fmt.Fprintln(os.Stderr, strings.Repeat("chatter ", 10))
	}
	return errors.New("last words")
}

func writeRaw(b []byte) error {
	_, err := os.NewFile(3, "parent").Write(b)
	return err
}

// found is what a child sees of the world.
type found struct {
	Env    []string
	Files  uint64
	Core   uint64
	Thread bool   // waiting for the parent takes a thread
	Read   string // error of reading a file
	Dialed string // error of dialling
	Exec   string // error of starting a program
}

func look(_ context.Context, c *child.Conn) error {
	address, err := c.ReadFrame()
	if err != nil {
		return err
	}
	f := found{Env: os.Environ()}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	f.Files = limit.Max
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		return err
	}
	f.Core = limit.Max
	flags, err := unix.FcntlInt(3, unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	f.Thread = flags&unix.O_NONBLOCK == 0
	_, err = os.ReadFile("/proc/self/exe")
	f.Read = fmt.Sprint(err)
	_, err = net.Dial("tcp", string(address))
	f.Dialed = fmt.Sprint(err)
	f.Exec = fmt.Sprint(exec.Command("/proc/self/exe", "silent").Run())
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return c.WriteFrame(b)
}

// peek answers each path with the error of reading it.
func peek(_ context.Context, c *child.Conn) error {
	for {
		path, err := c.ReadFrame()
		if err != nil {
			return nil
		}
		_, err = os.ReadFile(string(path))
		if err := c.WriteFrame([]byte(fmt.Sprint(err))); err != nil {
			return err
		}
	}
}

// work uses Go's runtime as a loader does: goroutines, collections, timers.
func work(_ context.Context, c *child.Conn) error {
	sums := make(chan int)
	for i := range 32 {
		go func() {
			words := map[string]int{}
			for k := range 2000 {
				words[strconv.Itoa(k*i)] = k
			}
			time.Sleep(time.Millisecond)
			sums <- len(words)
		}()
	}
	total := 0
	for range 32 {
		total += <-sums
	}
	return c.WriteFrame([]byte(strconv.Itoa(total)))
}
