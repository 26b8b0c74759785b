package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
)

// consoleName is the label below the domain that the console has by itself.
const consoleName = "fazt"

// ConsoleHost is the host of the node itself, where people sign in: the console of
// edge, else fazt.<domain> where anything is said about people; else there is none.
func ConsoleHost(objects []Object) string {
	host, _ := consoleOf(objects, func(yield func(Object) bool) {
		for _, o := range objects {
			if o.Kind == KindApp && !yield(o) {
				return
			}
		}
	})
	return host
}

// consoleOf finds the host and the object that says so.
func consoleOf(shared []Object, apps iter.Seq[Object]) (string, Object) {
	var edge Object
	people := false
	for _, o := range shared {
		switch o.Kind {
		case KindEdge:
			edge = o
		case KindOAuth, KindMail, KindLogin, KindGroup, KindRole, KindWorkload:
			people = true
		}
	}
	var e Edge
	if edge.Spec == nil || json.Unmarshal(edge.Spec, &e) != nil {
		return "", edge
	}
	if e.Console != "" || e.Domain == "" {
		return e.Console, edge
	}
	for o := range apps {
		if people {
			break
		}
		people = hasGate(o)
	}
	if !people {
		return "", edge
	}
	return consoleName + "." + e.Domain, edge
}

// hasGate tells whether an app has access blocks.
func hasGate(o Object) bool {
	var a struct {
		Access []Access `json:"access"`
	}
	return bytes.Contains(o.Spec, []byte(`"access":`)) && json.Unmarshal(o.Spec, &a) == nil && len(a.Access) > 0
}

// judgeConsole stalls the apps that claim the node's own host.
func (w *whole) judgeConsole(shared []Object) {
	console, edge := consoleOf(shared, func(yield func(Object) bool) {
		for u, i := range w.taken() {
			if !yield(u.Objects[i]) {
				return
			}
		}
	})
	if console == "" {
		return
	}
	at, declared := edge.At["console"]
	if !declared {
		at = edge.Range
	}
	var faults Diagnostics
	for host, c := range w.hosts {
		if host == console {
			r := w.report.about(c.addr, "")
			r.error(codeHostTwice, hclRange(c.at()), fmt.Sprintf("host %q is the node's own", host), "people sign in there: give the app another host, or the node, by console of edge",
				declaredAt("it is the console's here", hclRange(at))...)
			faults = append(faults, r.diags...)
		}
	}
	for _, d := range faults {
		w.stalled[d.Address] = append(slices.Clip(w.stalled[d.Address]), d)
	}
}
