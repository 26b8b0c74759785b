package platform

import (
	"os"
	"path/filepath"

	"github.com/fazt-sh/fazt/platform/fault"
	"golang.org/x/sys/unix"
)

// The reserve is room on the disk for what a person says: on a full disk no
// release can be made, but going back, pausing and purging must be written down.
const (
	reserveName  = "reserve"
	reserveMost  = 16 << 20
	reserveShare = 100      // at most one in so many of the disk's bytes
	lendBelow    = 16 << 20 // bytes free, below which the reserve is lent: an app can take that in a moment
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

// Lend gives the reserve up while something small is written on a full disk, and has
// apps keep nothing meanwhile, who would have it first; back makes it again.
func (p *Platform) Lend() (back func()) {
	disk, err := p.Disk()
	if err != nil || disk.Free >= lendBelow {
		return func() {}
	}
	p.lent.Add(1)
	back = func() {
		p.setAsideRoom()
		p.lent.Add(-1)
	}
	if os.Remove(filepath.Join(p.Dir, reserveName)) == nil {
		p.log.Warn("the disk is full: the room set aside is lent to a command", "component", "platform")
	}
	return back
}

// halt refuses what apps would keep while the reserve is lent.
func (p *Platform) halt() error {
	if p.lent.Load() == 0 {
		return nil
	}
	return fault.New(fault.Unavailable, "no room left on the disk of the state folder").WithCode(fault.CodeDiskFull).
		WithHint("free space on the disk of the state folder")
}
