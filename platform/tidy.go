package platform

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/fazt-sh/fazt/platform/blob"
	"github.com/fazt-sh/fazt/platform/release"
)

// Digests finds the blobs that a recorded file list refers to. The list is its
// writer's; the ground does not know its form.
type Digests func(list []byte, visit func(blob.Digest)) error

// Data finds what an object that is recorded keeps its data in, empty for none. The
// error is that of a record that cannot be read.
type Data func(body []byte) (id string, err error)

// When less of the disk is free than this, fewer releases are kept: a node that
// cannot write its journal is worse off than one that can go back two steps
// only. The smaller of the two counts.
const (
	floorBytes   = 512 << 20
	floorPercent = 5
	fewReleases  = 2 // kept of an app below the floor
)

// Disk is the room on the state folder's disk, in bytes.
type Disk struct {
	Free  uint64 `json:"free"`
	Total uint64 `json:"total"`
}

// Low reports whether the disk is below the floor.
func (d Disk) Low() bool { return d.Free < min(floorBytes, d.Total/100*floorPercent) }

// Disk asks the file system.
func (p *Platform) Disk() (Disk, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(p.Dir, &s); err != nil {
		return Disk{}, err
	}
	return Disk{Free: s.Bavail * uint64(s.Bsize), Total: s.Blocks * uint64(s.Bsize)}, nil
}

// tidy forgets and sweeps. Nothing depends on it at once, so what fails is for
// the log and for the next time.
func (p *Platform) tidy(ctx context.Context, f Files, first bool) {
	digests := f.Digests
	if digests == nil {
		return
	}
	defer p.tidyData(ctx, f.Data) // when the record is as it will be
	if !first {
		defer p.setAsideRoom() // of what was swept
	}
	keep, sure := release.KeptReleases, first
	disk, err := p.Disk()
	low := err == nil && disk.Low()
	if low {
		p.log.Warn("the disk is nearly full: fewer releases are kept", "component", "platform", "free", disk.Free, "kept", fewReleases)
		keep, sure = fewReleases, true
	}
	dropped, err := p.Releases.Retain(ctx, p.Clock.Sure(), keep)
	if err == nil && (low || len(p.Aside()) == 0) { // only a record that lies aside knows what its files are
		var swept blob.Swept
		swept, err = p.Blobs.Sweep(ctx, func(ctx context.Context) (func(blob.Digest) bool, error) { return p.inUse(ctx, digests) }, sure)
		if swept.Blobs > 0 || dropped.Any() {
			p.log.Info("tidied up", "component", "platform", "releases", dropped.Releases, "parked", dropped.Parked,
				"files", swept.Blobs, "bytes", swept.Bytes)
		}
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		p.log.Warn("what is no longer needed stays for now", "component", "platform", "error", err)
	}
}

// inUse gathers everything that a kept file list refers to.
func (p *Platform) inUse(ctx context.Context, digests Digests) (func(blob.Digest) bool, error) {
	used := map[blob.Digest]struct{}{}
	err := p.Releases.Lists(ctx, func(list []byte) error {
		return digests(list, func(d blob.Digest) { used[d] = struct{}{} })
	})
	return func(d blob.Digest) bool { _, is := used[d]; return is }, err
}
