//go:build integration

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fazt-sh/fazt/platform/journal"
)

// failing is a kind of system call that is made to fail, and how.
type failing struct {
	calls  string // as strace takes them; those of one kind have names by age
	errors []string
	// attached: only calls of a later pass and of the end. With write the log is
	// written too, and nothing could be told of a node whose first lines are lost.
	attached bool
}

// failingOn is what a site makes fail.
type failingOn struct {
	site  string
	files map[string]int
	rows  []failing
}

// failings are all of them. On a site of few files each is synced by itself, on
// one of many the file system is, and some of the many are large enough to have
// variants.
func failings() []failingOn {
	disk := []string{"EIO", "ENOSPC", "EINTR"}
	return []failingOn{
		{"few", map[string]int{"a": 4, "b": 2}, []failing{
			{calls: "pwrite64", errors: disk},
			{calls: "fsync,fdatasync", errors: disk},
			{calls: "fsync,fdatasync", errors: disk, attached: true},
			{calls: "ftruncate", errors: []string{"EIO", "EINTR"}},
			{calls: "openat", errors: disk},
		}},
		{"many", map[string]int{"a": 14, "b": 2}, []failing{
			{calls: "write", errors: disk, attached: true},
			{calls: "rename,renameat,renameat2", errors: disk},
			{calls: "syncfs", errors: disk},
		}},
	}
}

// TestIntegrationSyscallFailsOnce lets each system call of a pass over an older
// revision fail once, from the start of the node to its end. Whatever fails: the
// node goes on or ends well, what it acknowledged stays, an undisturbed pass
// succeeds in the same process, and the next start, with the repository away,
// serves the one complete release that node.db has.
//
// strace counts calls by thread, so that the nth of two threads may fail in one
// run, and which thread has the pass is the scheduler's choice. The sum says how
// many of the places that call were met.
func TestIntegrationSyscallFailsOnce(t *testing.T) {
	tool(t, "strace")
	for _, site := range failings() {
		t.Run(site.site, func(t *testing.T) {
			t.Parallel()
			o := newOrdeal(t, site.files)
			for _, row := range site.rows {
				o.row(row)
			}
		})
	}
}

// ordeal is a node that lives from one failing call to the next.
type ordeal struct {
	t       *testing.T
	w       *world
	commits []string
	next    int // the newest that was pushed
	heads   []journal.Head
	runs    int
	sum     ordealSum
}

// ordealSum is what came of the runs of a row.
type ordealSum struct{ runs, exits, refused, went int }

// syscallPoints is how many calls of a kind fail in a short run; none is all.
func syscallPoints(t *testing.T) int {
	if os.Getenv("FAZT_SYSCALLS") == "all" {
		return 0
	}
	return number(t, "FAZT_SYSCALLS", 3)
}

func newOrdeal(t *testing.T, files map[string]int) *ordeal {
	o := &ordeal{t: t, w: newPlainWorld(t)}
	o.w.t, o.w.stamp = t, files
	// One processor: most of a pass is on one thread, and counts repeat.
	o.w.env = append(o.w.env, "GOMAXPROCS=1")
	o.commits = o.w.chain(2000)
	o.w.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	must(t, o.w.publishTo(o.commits[0]))
	p := o.w.serve("state", "--repo", o.w.path("origin.git"))
	p.sync(0, "")
	p.stop()
	return o
}

// row makes calls of one kind fail, with each of its errors: as many as were
// asked for, evenly spaced, or all, until a run comes to its end with none.
func (o *ordeal) row(f failing) {
	seen := o.run(f, "", 0)
	if len(seen) == 0 {
		o.t.Logf("%s: no such call", f.calls)
		return
	}
	most, points := mostByAThread(seen), syscallPoints(o.t)
	for _, errno := range f.errors {
		o.sum = ordealSum{}
		var failed []systemCall
		for i := 1; ; i++ {
			n := i
			if points > 0 {
				n = 1 + (most-1)*(i-1)/max(points-1, 1)
			}
			injected := o.run(f, errno, n)
			failed = append(failed, injected...)
			if points > 0 && i >= points || points == 0 && len(injected) == 0 && n > most {
				break
			}
		}
		s := o.sum
		o.t.Logf("%s %s: %d calls at %d places seen, at most %d by a thread; %d runs, %d calls failed at %d places: %d exits, %d passes refused and made up for, %d passes went through; nothing lost",
			f.calls, errno, len(seen), places(seen), most, s.runs, len(failed), places(failed), s.exits, s.refused, s.went)
	}
}

func mostByAThread(calls []systemCall) (most int) {
	threads := map[string]int{}
	for _, c := range calls {
		threads[c.thread]++
		most = max(most, threads[c.thread])
	}
	return most
}

func places(calls []systemCall) int {
	found := map[string]bool{}
	for _, c := range calls {
		found[c.place()] = true
	}
	return len(found)
}

// run starts a node with a new revision to publish, of which the nth call of
// each thread fails, and holds the law. It returns the calls that failed, or
// without an error those that were made.
func (o *ordeal) run(f failing, errno string, n int) []systemCall {
	o.next++
	o.runs++
	w, t := o.w, o.t
	out := w.path(fmt.Sprintf("trace%d", o.runs))
	var p *process
	defer func() {
		if t.Failed() {
			text, _ := os.ReadFile(out)
			t.Logf("%s %s, call %d of a thread:\n%s", f.calls, errno, n, injectedLines(string(text)))
		}
	}()
	args := []string{"-f", "-y", "-e", "signal=none", "-o", out, "-e", "trace=" + f.calls + "," + durableCalls}
	if errno != "" {
		args = append(args, "-e", fmt.Sprintf("inject=%s:error=%s:when=%d", f.calls, errno, n))
	}
	if f.attached {
		p = w.serve("state", "--repo", w.path("origin.git"))
		must(t, w.publishTo(o.commits[o.next])) // the first that a process publishes syncs more
		p.sync(0, "")
		o.next++
		p.attach(t, args...)
		must(t, w.publishTo(o.commits[o.next]))
	} else {
		must(t, w.publishTo(o.commits[o.next]))
		p = o.underStrace(args)
	}
	acknowledged := o.live(p, out)
	text, err := os.ReadFile(out)
	must(t, err)
	all := systemCalls(string(text))
	if names := undurable(all); acknowledged && len(names) > 0 {
		t.Fatalf("acknowledged, and nothing makes durable: %q\n%s", names, p.log())
	}
	made := slices.DeleteFunc(all, func(c systemCall) bool {
		return !slices.Contains(strings.Split(f.calls, ","), c.name) || errno != "" && !c.injected
	})
	o.after(acknowledged)
	must(t, os.Remove(out))
	o.sum.runs++
	return made
}

// underStrace starts a node that is watched from its first call on.
func (o *ordeal) underStrace(args []string) *process {
	args = slices.Concat(args, []string{"-qq", "--seccomp-bpf", o.w.bin, "serve", "--state", o.w.path("state"), "--listen", "127.0.0.1:0", "--interval", "1h", "--no-safe-mode", "--repo", o.w.path("origin.git")})
	cmd := exec.Command("strace", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that both can be ended
	p := o.w.start("state", cmd)
	o.t.Cleanup(func() {
		if !p.over() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	})
	return p
}

// live takes the node through a pass, and through its end. It reports whether
// the newest revision was acknowledged.
func (o *ordeal) live(p *process, out string) (acknowledged bool) {
	if _, there := p.awaitOrEnd("msg=commands"); there {
		p.addresses()
		acknowledged = o.passes(p, out)
	}
	byItself := p.over()
	if !byItself {
		p.endTraced()
	}
	p.ended()
	o.endedWell(p, out, byItself)
	return acknowledged
}

// passes asks for the newest revision until an answer says that it is served,
// and looks whether it is. Only a call that failed meanwhile excuses an answer
// that says otherwise.
func (o *ordeal) passes(p *process, out string) (acknowledged bool) {
	for try := 0; !p.over(); try++ {
		before := 0 // the first answer may be about the pass of the start
		if try > 0 {
			before = injections(out)
		}
		exit, answer, err := p.call("/v1/sync", `{"wait":true}`)
		served, wrong := 0, error(nil)
		if err == nil && exit == 0 {
			acknowledged = true
			served, wrong = p.inspect(o.commits)
		}
		switch {
		case err == nil && exit == 0 && wrong == nil && served == o.next:
			if try == 0 {
				o.sum.went++
			} else {
				o.sum.refused++
			}
			return true
		case injections(out) == before && !p.over():
			o.t.Fatalf("nothing failed, and sync --wait ends with %d, %v, revision %d is served of %d, %v\n%s\n%s", exit, err, served, o.next, wrong, answer, p.log())
		}
	}
	return acknowledged
}

// endedWell fails the test for a process that crashed, or that gave up by itself
// as if all were well.
func (o *ordeal) endedWell(p *process, out string, byItself bool) {
	text, err := os.ReadFile(out)
	must(o.t, err)
	if byItself {
		o.sum.exits++
	}
	// Go's scheduler has no way on when it cannot wake its poller.
	scheduler := regexp.MustCompile(`write\(\d+<anon_inode:\[eventfd\]>.*\(INJECTED\)`).Match(text)
	crashed := !p.cmd.ProcessState.Exited()
	for _, sign := range []string{"panic", "fatal error", "a defect stopped", "SIGSEGV", "SIGBUS"} {
		crashed = crashed || strings.Contains(p.log(), sign)
	}
	if crashed && !scheduler {
		o.t.Fatalf("the node crashed: %s\n%s", p.cmd.ProcessState, p.log())
	}
	if byItself && (p.cmd.ProcessState.ExitCode() == 0 || injections(out) == 0) {
		o.t.Fatalf("the node ended by itself with %d\n%s", p.cmd.ProcessState.ExitCode(), p.log())
	}
}

// after looks at what a run left, and lets an undisturbed node go on with it.
func (o *ordeal) after(acknowledged bool) {
	w, t := o.w, o.t
	must(t, os.Rename(w.path("origin.git"), w.path("away.git")))
	kept := audit(t, w.path("state"), o.heads...)
	o.heads = append(o.heads, kept.head)
	p := w.serve("state", "--repo", w.path("origin.git"))
	served := p.whole(o.commits)
	if o.commits[served] != kept.revision || o.commits[served] != kept.apps["app.a"] || p.status().Generation != kept.generation {
		t.Fatalf("revision %d in generation %d is served, node.db has %s in %d", served, p.status().Generation, kept.revision, kept.generation)
	}
	if served != o.next && (acknowledged || served != o.next-1) {
		t.Fatalf("revision %d is served after a start; %d was pushed, acknowledged: %t\n%s", served, o.next, acknowledged, p.log())
	}
	must(t, os.Rename(w.path("away.git"), w.path("origin.git")))
	p.sync(0, "")
	if now := p.whole(o.commits); now != o.next {
		t.Fatalf("undisturbed, revision %d is served, %d was pushed\n%s", now, o.next, p.log())
	}
	p.stop()
}

// TestIntegrationSyscallSyncIsNotTriedAgain: after a sync of the record's log
// failed, nothing is added to the log before all that was kept is safe in the
// file and the log is empty: a second sync says nothing of the first one's bytes.
func TestIntegrationSyscallSyncIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	tool(t, "strace")
	w := newPlainWorld(t)
	w.write(map[string]string{"site/fazt.hcl": oneApp, "site/www/index.html": "old"})
	p := w.serve("state")
	w.want(0, "generation 1", "apply", "--yes", "--state", p.state, w.path("site"))
	out := w.path("trace")
	over := p.attach(t, "-f", "-y", "-e", "signal=none", "-o", out, "-P", w.path("state/node.db-wal"), "-e", "trace=pwrite64,fsync,ftruncate", "-e", "inject=fsync:error=EIO:when=1")
	w.write(map[string]string{"site/www/index.html": "new"})
	for failed := -1; w.fazt("apply", "--yes", "--state", p.state, w.path("site")).exit != 0; {
		if now := injections(out); now > failed {
			failed = now
			continue
		}
		t.Fatalf("no sync failed, and the apply is refused\n%s", p.log())
	}
	p.serves("a.localhost", "/", "new")
	p.kill()
	<-over
	text, err := os.ReadFile(out)
	must(t, err)
	failed, doubtful := 0, false
	for _, c := range systemCalls(string(text)) {
		switch {
		case c.name == "fsync" && c.result < 0:
			failed, doubtful = failed+1, true
		case c.name == "ftruncate" && c.result == 0:
			doubtful = false
		case c.name == "pwrite64" && doubtful:
			t.Fatalf("added to a log whose sync failed: %s(%s)", c.name, c.arguments)
		}
	}
	if failed == 0 {
		t.Fatal("no sync failed")
	}
	if kept := audit(t, p.state); kept.generation != 2 {
		t.Fatalf("generation %d is there after the node was killed", kept.generation)
	}
}

// injections counts the calls that strace has let fail. It writes each line
// before the call returns.
func injections(out string) int {
	text, err := os.ReadFile(out)
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "(INJECTED)")
}

func injectedLines(trace string) string {
	return strings.Join(linesWith(strings.Split(trace, "\n"), []string{"(INJECTED)"}), "\n")
}

// place is what a call was for: its name and its file, without what differs from
// run to run.
func (c systemCall) place() string {
	found := regexp.MustCompile(`/state/[^>"]*|^\d+<[^>]*>|"/[^"]*"`).FindString(c.arguments)
	found = strings.TrimPrefix(found, "/state/")
	found = regexp.MustCompile(`[0-9a-f]{30,}|pack-[0-9a-f]+`).ReplaceAllString(found, "…")
	return c.name + " " + regexp.MustCompile(`\d+`).ReplaceAllString(found, "N")
}

// durableCalls give a blob its name, take it back and make it durable.
const durableCalls = "rename,renameat,renameat2,unlinkat,mkdirat,fsync,syncfs"

// undurable lists the blobs of a trace that were given a name which no sync
// that succeeded has followed, of the folder and of what holds a new folder.
func undurable(calls []systemCall) (names []string) {
	quoted := regexp.MustCompile(`"([^"]*/state/blob/[^"]*)"`)
	opened := regexp.MustCompile(`^\d+<([^>]*)>`)
	made, waits := map[string]bool{}, map[string][]string{} // blob → folders to sync
	synced := func(folder string) {
		for name, folders := range waits {
			if waits[name] = slices.DeleteFunc(folders, func(f string) bool { return f == folder }); len(waits[name]) == 0 {
				delete(waits, name)
			}
		}
	}
	for _, c := range calls {
		paths := quoted.FindAllStringSubmatch(c.arguments, -1)
		switch {
		case c.result < 0:
		case c.name == "syncfs":
			clear(waits)
			clear(made)
		case c.name == "fsync":
			if m := opened.FindStringSubmatch(c.arguments); m != nil {
				synced(m[1])
			}
		case len(paths) == 0:
		case c.name == "mkdirat":
			made[paths[0][1]] = true
		case c.name == "unlinkat":
			delete(waits, paths[0][1])
		case strings.HasPrefix(c.name, "rename"):
			name := paths[len(paths)-1][1]
			folder := filepath.Dir(name)
			waits[name] = []string{folder}
			if made[folder] {
				waits[name] = append(waits[name], filepath.Dir(folder))
			}
		}
	}
	for name := range waits {
		names = append(names, name)
	}
	return names
}
