package platform

import (
	"context"
	"os"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
	"golang.org/x/sys/unix"
)

// The reserve is room on the disk for what a person says: on a full disk no
// release can be made, but going back, pausing, deleting and purging must be written
// down.
const (
	reserveName  = "reserve"
	reserveMost  = 16 << 20
	reserveShare = 20      // at most one in so many of the disk's bytes; several commands need a few hundred KiB each
	lendBelow    = 1 << 20 // bytes free, below which the reserve is lent
)

// setAsideRoom makes the reserve, of what is free if that is less. A file system
// that cannot promise room has none.
func (p *Platform) setAsideRoom() {
	disk, err := p.Disk()
	if err != nil {
		return
	}
	size := min(reserveMost, int64(disk.Total/reserveShare), int64(disk.Free))
	f, err := os.OpenFile(filepath.Join(p.Dir, reserveName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() >= size && size > 0 {
		return
	}
	if size <= 0 || unix.Fallocate(int(f.Fd()), 0, 0, size) != nil {
		_ = os.Remove(f.Name())
	}
}

// borrower marks the context of whoever the reserve is lent to.
type borrower struct{}

// Lend gives the reserve up while something small is written on a full disk, under the
// context that it returns. Apps keep nothing meanwhile, who would have it first. back
// makes it again.
func (p *Platform) Lend(ctx context.Context) (_ context.Context, back func()) {
	disk, err := p.Disk()
	if err != nil || disk.Free >= lendBelow {
		return ctx, func() {}
	}
	p.lent.Add(1)
	if os.Remove(filepath.Join(p.Dir, reserveName)) == nil {
		p.log.Warn("the disk is full: the room set aside is lent to a command", "component", "platform")
	}
	return context.WithValue(ctx, borrower{}, true), func() {
		p.setAsideRoom()
		p.lent.Add(-1)
	}
}

// halt refuses what would be kept while the reserve is lent to somebody else.
func (p *Platform) halt(ctx context.Context) error {
	if p.lent.Load() == 0 || ctx.Value(borrower{}) != nil {
		return nil
	}
	return fault.New(fault.Unavailable, "no room left on the disk of the state folder").WithCode(fault.CodeDiskFull).
		WithHint("free space on the disk of the state folder")
}
