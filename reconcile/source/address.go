package source

import (
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Secret is a string that does not print itself.
type Secret string

const hiddenSecret = "(secret)"

// String hides the value.
func (Secret) String() string { return hiddenSecret }

// GoString hides the value.
func (Secret) GoString() string { return hiddenSecret }

// LogValue hides the value.
func (Secret) LogValue() slog.Value { return slog.StringValue(hiddenSecret) }

// MarshalText hides the value.
func (Secret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }

// Credentials are what a remote repository may ask for. All are optional, and
// they are sent to the configured host alone.
type Credentials struct {
	Username   string // https; "git" where only a password or token is given
	Password   Secret // https: a password or an access token
	KeyFile    string // ssh: a private key without passphrase; empty asks the ssh agent
	KnownHosts string // ssh: file of host keys; empty takes ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts
	CAFile     string // https: PEM file of further certificate authorities
}

// address is where a repository is, without its secrets.
type address struct {
	scheme string // "https", "http" (loopback only), "ssh", "file"
	user   string // ssh
	host   string // with the port where one is given
	path   string // of the repository; absolute for a file
}

// String is the address as a person would write it.
func (a address) String() string {
	switch a.scheme {
	case "file":
		return a.path
	case "ssh":
		return "ssh://" + a.user + "@" + a.host + "/" + strings.TrimPrefix(a.path, "/")
	default:
		return a.scheme + "://" + a.host + a.path
	}
}

var scpLike = regexp.MustCompile(`^([A-Za-z0-9._-]+)@(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(.+)$`)

// parseAddress accepts https://, ssh://, user@host:path, an absolute or ./
// path and file://, and plain http:// on the loopback. A user and password in
// an https address move into the credentials.
func parseAddress(text string, c *Credentials) (address, error) {
	if strings.HasPrefix(text, "/") || text == "." || strings.HasPrefix(text, "./") {
		return localAddress(text)
	}
	if m := scpLike.FindStringSubmatch(text); m != nil && !strings.Contains(text, "://") {
		return sshAddress(m[1], m[2], m[3])
	}
	scheme, _, ok := strings.Cut(text, "://")
	if !ok {
		return address{}, refused("no repository address").
			WithHint("use https://host/path, ssh://user@host/path, user@host:path, an absolute path or ./path")
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return address{}, refused("the repository address of scheme %q cannot be read", printable(scheme, 20))
	}
	return urlAddress(u, c)
}

func urlAddress(u *url.URL, c *Credentials) (address, error) {
	switch {
	case u.RawQuery != "" || u.Fragment != "":
		return address{}, refused("a repository address has no query and no fragment")
	case u.Scheme == "file":
		if u.Host != "" && u.Host != "localhost" {
			return address{}, refused("file://%s names another machine", u.Host)
		}
		return localAddress(u.Path)
	case u.Host == "" || strings.Trim(u.Path, "/") == "":
		return address{}, refused("the repository address names no host or no path")
	case u.Scheme == "ssh":
		if _, has := u.User.Password(); has {
			return address{}, refused("ssh does not take a password in the address").WithHint("use a key")
		}
		user := u.User.Username()
		if user == "" {
			user = "git"
		}
		return sshAddress(user, u.Host, u.Path)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		c.take(u.User)
		return address{scheme: u.Scheme, host: u.Host, path: strings.TrimRight(u.EscapedPath(), "/")}, nil
	default:
		return address{}, refused("repositories are not fetched over %s://", printable(u.Scheme, 20)).
			WithHint("use https:// or ssh://")
	}
}

// sshAddress refuses what a server's shell or ssh itself could take for an
// option.
func sshAddress(user, host, path string) (address, error) {
	if strings.HasPrefix(user, "-") || strings.HasPrefix(host, "-") || strings.HasPrefix(path, "-") {
		return address{}, refused("a user, host or path of an ssh address begins with a dash")
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return address{}, refused("a control character in the path of an ssh address")
	}
	return address{scheme: "ssh", user: user, host: host, path: path}, nil
}

func localAddress(path string) (address, error) {
	abs, err := filepath.Abs(filepath.FromSlash(path))
	if err != nil {
		return address{}, fault.Wrap(fault.Unavailable, err, "the working folder is unknown")
	}
	if strings.ContainsRune(abs, 0) {
		return address{}, refused("a NUL byte in the path of the repository")
	}
	return address{scheme: "file", path: abs}, nil
}

func refused(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...)
}

// take moves a URL's user and password in; what is configured wins.
func (c *Credentials) take(u *url.Userinfo) {
	if u == nil {
		return
	}
	password, has := u.Password()
	if !has && c.Password == "" {
		password = u.Username() // https://TOKEN@host, as forges print it
	} else if c.Username == "" {
		c.Username = u.Username()
	}
	if c.Password == "" {
		c.Password = Secret(password)
	}
}

func (c Credentials) username() string {
	if c.Username == "" {
		return "git"
	}
	return c.Username
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// fullRef expands a branch name: "main" is refs/heads/main.
func fullRef(name string) (string, error) {
	if name == "" {
		name = "main"
	}
	if !strings.HasPrefix(name, "refs/") {
		name = "refs/heads/" + name
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return "", refused("%q is no name of a branch or ref", name)
		}
	}
	if strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") ||
		strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`\^~:?*[`, r) }) {
		return "", refused("%q is no name of a branch or ref", name)
	}
	return name, nil
}

// shortRef is a ref as a person says it.
func shortRef(ref string) string { return strings.TrimPrefix(ref, "refs/heads/") }

// homeFile returns a file of the user's home, or "" without one.
func homeFile(names ...string) string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(append([]string{home}, names...)...)
}
