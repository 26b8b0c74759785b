package source

import (
	"errors"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// nameFault says why no tree may hold a name, or "" if one may. Names that some
// systems merely find awkward pass: whoever uses them judges them.
func nameFault(name string) string {
	switch name {
	case "":
		return "an empty name"
	case ".", "..":
		return "a name that walks the tree"
	}
	for i := range len(name) {
		if c := name[i]; c < 0x20 || c == 0x7f {
			return "a control byte"
		} else if c == '/' {
			return "a slash in a name"
		}
	}
	if spellsDotGit(name) {
		return "a spelling of .git"
	}
	return ""
}

// spellsDotGit reports whether some file system would take name for .git: any
// letter case, NTFS's short name, trailing dots and spaces and streams, HFS+'s
// ignored code points.
func spellsDotGit(name string) bool {
	short, _, _ := strings.Cut(name, ":")
	switch strings.ToLower(strings.TrimRight(short, ". ")) {
	case ".git", "git~1":
		return true
	}
	if len(name) < 5 {
		return false
	}
	return strings.EqualFold(strings.Map(dropIgnored, name), ".git")
}

// dropIgnored drops the code points that HFS+ ignores when it compares names.
func dropIgnored(r rune) rune {
	switch {
	case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
		return -1
	}
	return r
}

// refusal turns the error of an object that no repository should hold into a
// fault that names the path; other errors stay.
func refusal(err error, path string) error {
	bad := (*badName)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	if bad.name != "" {
		path = joinPath(path, bad.name)
	}
	return unsafeName(path, bad.why)
}

func unsafeName(path, why string) error {
	if path == "" {
		return fault.New(fault.Invalid, "the revision is nothing that git would write: %s", why).
			WithCode(codeUnsafe).WithHint("push a commit that was made by git")
	}
	return fault.New(fault.Invalid, "the tree holds %q: %s", path, why).
		WithCode(codeUnsafe).WithHint("remove it from the repository and push")
}

func joinPath(folder, name string) string {
	if folder == "" || folder == "." {
		return name
	}
	return folder + "/" + name
}
