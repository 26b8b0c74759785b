package plan

import "github.com/fazt-sh/fazt/spec"

// manifest returns an app's files, none where it has no content.
func manifest(o spec.Object) []spec.File {
	if o.Content == nil {
		return nil
	}
	return o.Content.Files
}

// sources returns what an app's program is made of.
func sources(o spec.Object) []spec.File {
	if o.Content == nil {
		return nil
	}
	return o.Content.Sources
}

// sameContents reports whether two objects are of the same files and sources. No
// content is one of no files.
func sameContents(a, b spec.Object) bool {
	return sameFiles(manifest(a), manifest(b)) && sameFiles(sources(a), sources(b))
}

// sameFiles reports whether two manifests are one release. Lists that are one
// list in memory, as an unchanged app's are, need no reading.
func sameFiles(a, b []spec.File) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 0 || &a[0] == &b[0] {
		return true
	}
	for i := range a {
		if a[i].Path != b[i].Path || a[i].ID != b[i].ID {
			return false
		}
	}
	return true
}

// compareFiles merges two manifests sorted by path; nil where they are equal.
func compareFiles(was, want []spec.File) *Files {
	if sameFiles(was, want) {
		return nil
	}
	f := &Files{Added: FileSet{Paths: []string{}}, Changed: FileSet{Paths: []string{}}, Removed: FileSet{Paths: []string{}}}
	for len(was) > 0 || len(want) > 0 {
		switch {
		case len(want) == 0 || len(was) > 0 && was[0].Path < want[0].Path:
			f.Removed.add(was[0])
			was = was[1:]
		case len(was) == 0 || want[0].Path < was[0].Path:
			f.Added.add(want[0])
			want = want[1:]
		default:
			if was[0].ID != want[0].ID {
				f.Changed.add(want[0])
			}
			was, want = was[1:], want[1:]
		}
	}
	return f
}

// add counts a file.
func (s *FileSet) add(f spec.File) {
	s.Count++
	s.Bytes += f.Size
	s.Paths = append(s.Paths, f.Path)
}
