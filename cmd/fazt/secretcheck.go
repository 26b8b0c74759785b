package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/op"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/spec"
)

// The kinds of findings, for scripts.
const (
	foundFile       = "file"       // a file cannot be read
	foundMissing    = "missing"    // it is named, and nowhere declared
	foundTwice      = "twice"      // it is declared twice
	foundUnsealed   = "unsealed"   // its value is in plain sight
	foundDamaged    = "damaged"    // its envelope is
	foundMoved      = "moved"      // its envelope was sealed for another address
	foundUnreadable = "unreadable" // it is not sealed to the key that looks
	foundKeys       = "keys"       // it is sealed to more or fewer keys than are declared
	foundUnused     = "unused"     // nothing names it
	foundKeyless    = "keyless"    // a node cannot open any
	foundCredential = "credential" // a text looks like a credential
)

// secretFinding is one thing that is not as it should be. It never holds a value.
type secretFinding struct {
	Kind    string `json:"kind"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Address string `json:"address,omitempty"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

type secretCheckOut struct {
	Findings []secretFinding `json:"findings"`
	Secrets  int             `json:"secrets"`
	Tried    bool            `json:"tried"` // there was a key to open them with
}

// Exit is 1 when something was found.
func (o secretCheckOut) Exit() int {
	if len(o.Findings) > 0 {
		return 1
	}
	return 0
}

// WriteText is a line for each finding, with its remedy below.
func (o secretCheckOut) WriteText(w *op.Screen) error {
	for _, f := range o.Findings {
		at := ""
		if f.File != "" {
			at = fmt.Sprintf("%s:%d: ", f.File, f.Line)
		}
		w.Printf("%s%s\n", at, f.Message)
		if f.Fix != "" {
			w.Printf("  fix: %s\n", f.Fix)
		}
	}
	tried := "tried with your key"
	if !o.Tried {
		tried = "not tried, as there is no key here"
	}
	w.Printf("%s, %s: %s\n", plural(o.Secrets, "secret"), tried, plural(len(o.Findings), "finding"))
	return nil
}

func (p *program) secretCheck(_ context.Context, in secretDirIn) (secretCheckOut, error) {
	out := secretCheckOut{Findings: []secretFinding{}}
	v, diags, err := p.vault(in.Dir)
	if err != nil {
		return out, err
	}
	id, err := p.identity(in.Identity)
	if err != nil {
		return out, err
	}
	out.Secrets, out.Tried = len(v.Secrets), id != nil
	for _, d := range diags.Errors() {
		f := secretFinding{Kind: foundFile, Message: d.Summary, Fix: d.Detail}
		if d.Range != nil {
			f.File, f.Line = d.Range.Filename, d.Range.Start.Line
		}
		out.Findings = append(out.Findings, f)
	}
	out.Findings = append(out.Findings, v.declared(id)...)
	out.Findings = append(out.Findings, v.named()...)
	out.Findings = append(out.Findings, v.credentials()...)
	slices.SortStableFunc(out.Findings, func(a, b secretFinding) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return out, nil
}

// declared judges each secret block.
func (v vault) declared(id *secret.Identity) (found []secretFinding) {
	used, want, before := v.used(), len(v.recipients(nil)), ""
	for _, s := range v.Secrets {
		addr := "secret." + s.Name
		add := func(kind, fix, format string, args ...any) {
			found = append(found, secretFinding{kind, s.Range.Filename, s.Range.Start.Line, addr, addr + " " + fmt.Sprintf(format, args...), fix})
		}
		set := "fazt secret set " + s.Name
		if s.Name == before {
			add(foundTwice, "remove one of the two", "is declared twice")
		}
		before = s.Name
		if !used[s.Name] {
			add(foundUnused, "name it in an app, or remove it", "is not used")
		}
		if s.Envelope == "" {
			add(foundUnsealed, "get a new value, as everybody who reads the repository knows this one, and "+set, "is not sealed")
			continue
		}
		keys, err := secret.Recipients(addr, s.Envelope)
		if err == nil && id != nil {
			_, err = id.Unseal(addr, s.Envelope)
		}
		switch codeOf(err) {
		case secret.CodeEnvelope:
			add(foundDamaged, "take it back from history, or "+set, "has a damaged envelope")
		case secret.CodeAddress:
			add(foundMoved, "an envelope cannot be copied: "+set, "has an envelope that was sealed for another address")
		case secret.CodeRecipient:
			add(foundUnreadable, "somebody who can open it runs fazt secret rekey", "is not sealed to your key")
		}
		if keys > 0 && keys != want {
			add(foundKeys, "fazt secret rekey", "is sealed to %s, and the configuration has %d", plural(keys, "key"), want)
		}
	}
	return found
}

func codeOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// named judges what names secrets, and who should open them.
func (v vault) named() (found []secretFinding) {
	for _, u := range v.Uses {
		if _, there, _ := v.find(u.Name); !there {
			found = append(found, secretFinding{foundMissing, u.Range.Filename, u.Range.Start.Line, "secret." + u.Name, "secret." + u.Name + " is not declared", "fazt secret set " + u.Name})
		}
	}
	for _, node := range v.Keyless {
		if len(v.Secrets) > 0 {
			found = append(found, secretFinding{Kind: foundKeyless, Address: string(node), Message: string(node) + " has no recipient, and cannot open secrets", Fix: "give it the recipient that it printed at its first start, then fazt secret rekey"})
		}
	}
	return found
}

// What credentials look like: those with a form of their own, and texts without
// spaces that are the value of something called like one.
var (
	credentialWords = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\b(?:sk_live_|rk_live_|whsec_|ghp_|gho_|ghs_|github_pat_|glpat-|xox[abprs]-|AKIA|ASIA|AIza|SG\.|shpat_|npm_|hvs\.|dop_v1_|AGE-SECRET-KEY-)[0-9A-Za-z_-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.`)
	})
	credentialNames = regexp.MustCompile(`(?i)(?:passw(?:or)?d|secret|token|api_?key|private_?key|access_?key)"?\s*[=:]\s*"([^"\s$%{}]{8,})"`)
	notCredentials  = regexp.MustCompile(`^(?:https?:|/|\.|\$)`)
)

// credentials looks at the text of every file, comments included.
func (v vault) credentials() (found []secretFinding) {
	names, _ := spec.ConfigFiles(plainTree{v.fsys})
	for _, name := range names {
		src, err := spec.ReadSource(v.fsys, name)
		if err != nil {
			continue
		}
		line := 0
		for text := range bytes.Lines(src) {
			line++
			named := credentialNames.FindSubmatch(text)
			if credentialWords().Match(text) || named != nil && !notCredentials.Match(named[1]) {
				found = append(found, secretFinding{Kind: foundCredential, File: name, Line: line, Message: "this looks like a credential in plain sight",
					Fix: "get a new one, as it is in the history now, and seal it: fazt secret set NAME"})
			}
		}
	}
	return found
}
