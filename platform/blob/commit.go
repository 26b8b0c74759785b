package blob

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/fazt-sh/fazt/platform/failpoint"
	"github.com/fazt-sh/fazt/platform/fault"
)

// fewFiles is the number of files up to which each is synced by itself. Beyond
// it one sync of the file system is cheaper (4 files: 1.0 against 0.4 ms, 256:
// 67 against 6), but it also waits for what others wrote.
const fewFiles = 8

// Commit makes every blob of the batch durable and visible, and ends the batch.
// After an error nothing is visible that was not before; call Discard to remove
// the rest.
func (b *Batch) Commit() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return fault.New(fault.Internal, "commit a batch that has ended")
	}
	b.ended = true
	count := 0
	for _, st := range b.staged {
		count += len(st.files)
	}
	if count == 0 && (len(b.staged) == 0 || b.store.settled.Load()) {
		return nil
	}
	return b.commitLocked(count)
}

func (b *Batch) commitLocked(count int) error {
	// Of a store that was found it is not known whether its names are durable: a
	// process that was killed may have given them and not synced them. What the
	// batch has of it is about to be relied on.
	many := count > fewFiles || !b.store.settled.Load()
	failpoint.Reached("blob.written")
	if err := b.syncTempsLocked(many); err != nil {
		return err
	}
	failpoint.Reached("blob.synced")
	named, err := b.nameLocked()
	if err == nil {
		err = b.store.syncNames(named, many)
	}
	if err != nil {
		// A sync that failed cannot be made up for by another one. The next batch
		// would find these names, take them for kept and not sync them at all, so
		// they go; it writes the bytes again.
		b.store.unname(named)
		return err
	}
	if many {
		b.store.settled.Store(true)
	}
	return nil
}

// named is what a batch has given names to: the files in the order in which
// they became visible, and the folders that hold the names.
type named struct{ files, folders []string }

func (b *Batch) nameLocked() (all named, err error) {
	for d, st := range b.staged {
		if len(st.files) == 0 {
			continue
		}
		if err := b.store.publish(d, st, &all); err != nil {
			return all, err
		}
		failpoint.Reached("blob.renamed")
	}
	return all, nil
}

func (s *Store) syncNames(n named, many bool) error {
	if many {
		return syncFileSystem(s.dir)
	}
	slices.Sort(n.folders)
	for _, folder := range slices.Compact(n.folders) {
		if err := syncFile(folder); err != nil {
			return err
		}
	}
	return nil
}

// unname takes names back, of each blob the identity file first (see Remove).
// Where one cannot be, the next batch syncs them all. The folders that were made
// for them are no more durable: shard is to name their parent again.
func (s *Store) unname(n named) {
	s.mu.Lock()
	clear(s.shards)
	s.mu.Unlock()
	for _, name := range slices.Backward(n.files) {
		if err := os.Remove(name); err != nil {
			s.settled.Store(false)
		}
	}
}

// syncTempsLocked makes the bytes durable before any name points at them.
func (b *Batch) syncTempsLocked(many bool) error {
	if many {
		return syncFileSystem(b.store.dir)
	}
	for _, st := range b.staged {
		for _, m := range st.files {
			if err := syncFile(m.temp); err != nil {
				return err
			}
		}
	}
	return nil
}

// publish renames a blob's files into place and notes what to sync. The identity
// file comes last, so a blob that is there has its variants, and brotli just
// before it (see holds).
func (s *Store) publish(d Digest, st *staged, n *named) error {
	touched, err := s.shard(d)
	if err != nil {
		return err
	}
	n.folders = append(n.folders, touched...)
	for _, e := range [...]Encoding{Gzip, Zstd, Brotli, Identity} {
		i := slices.IndexFunc(st.files, func(m move) bool { return m.encoding == e })
		if i < 0 {
			continue
		}
		if err := os.Rename(st.files[i].temp, s.path(d, e)); err != nil {
			return diskFault(err, "keep blob %q", string(d)+e.suffix())
		}
		n.files = append(n.files, s.path(d, e))
		st.files = slices.Delete(st.files, i, i+1)
	}
	return nil
}

// shard makes the folder of a digest and returns it, with its parent if it is
// new.
func (s *Store) shard(d Digest) (folders []string, err error) {
	name := string(d[:2])
	folder := filepath.Join(s.dir, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards[name] {
		return []string{folder}, nil
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !os.IsExist(err) {
		return nil, diskFault(err, "make %q", folder)
	}
	s.shards[name] = true
	return []string{folder, s.dir}, nil
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return diskFault(err, "sync %q", name)
	}
	if err := closing(f, f.Sync()); err != nil {
		return diskFault(err, "sync %q", name)
	}
	return nil
}
