package reconcile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io/fs"
	"strconv"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/reconcile/plan"
	"github.com/fazt-sh/fazt/spec"
)

// housed gives each app that keeps data the folder of it. An app has one for as
// long as there is a record of it: it goes along to a new address, waits in the
// trash, is there again when damage is mended, and is not taken back by a rollback;
// only a restore gives it another. A name alone would not do, as it may belong to
// another app tomorrow; with the generation it is given once. Where the record was
// lost, the name is all there is.
func (l *Loop) housed(p *pass, objects []spec.Object) []spec.Object {
	was, lost, parked := byAddr(p.actual), byAddr(l.lost), byAddr(l.memory.Load().parked)
	from := map[spec.Addr]spec.Addr{}
	for _, c := range p.plan.Changes {
		if c.Action == plan.Move {
			from[c.Addr] = c.From
		}
	}
	for i := range objects {
		o := &objects[i]
		if o.Kind != spec.KindApp {
			continue
		}
		if given := p.restored(o.Addr); given != "" {
			o.Data = given
			continue
		}
		before := o.Addr
		if at, moves := from[o.Addr]; moves {
			before = at
		}
		if now, there := was.get(before); there {
			o.Data = now.Data
		} else if gone, there := lost.get(before); there {
			o.Data = gone.Data
		} else if kept, there := parked.get(o.Addr); there {
			o.Data = kept.Data
		} else {
			o.Data = ""
		}
		if o.Data == "" && (o.HoldsData || scheduled(*o)) {
			o.Data = cmp.Or(l.left[o.Name], o.Name+"-"+strconv.FormatUint(l.last.Generation+1, 10))
		}
	}
	return objects
}

// restored is the data that somebody gives an app, empty where nobody does.
func (p *pass) restored(addr spec.Addr) string {
	if p.adjust == nil {
		return ""
	}
	return p.adjust.Data[addr]
}

// folder opens the content folder of an app in a revision.
func folder(tree spec.Tree) func(spec.Object) (fs.FS, error) {
	return func(app spec.Object) (fs.FS, error) {
		var a spec.App
		if err := json.Unmarshal(app.Spec, &a); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "read the object %s", app.Addr)
		}
		return fs.Sub(tree, a.Content)
	}
}

// scheduled reports whether an app has schedules, of which the node keeps what ran.
// Most specs do not have the word, and are not decoded.
func scheduled(o spec.Object) bool {
	var app spec.App
	return bytes.Contains(o.Spec, []byte(`"cron"`)) && json.Unmarshal(o.Spec, &app) == nil && len(app.Cron) > 0
}
