package spec

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// appBlock is the row of an app.
func appBlock() Block {
	return Block{
		Name:   "app",
		Labels: []string{"name"},
		Doc:    "A web site: a folder of this repository, served at host names, and the code that answers with it. Its label is its identity: moving the block to another file changes nothing. It is a DNS label of at most 40 characters.",
		Example: "app \"blog\" {\n  content   = \"apps/blog\"\n  hosts     = [\"blog.${var.domain}\", \"www.example.com\"]\n  where     = node.labels.env == \"prod\"\n" +
			"  redirects = [{ from = \"/old/*\", to = \"/new/:splat\" }]\n  headers   = [{ path = \"/*\", set = { \"X-Frame-Options\" = \"DENY\" } }]\n}",
		Since: "0.1.0",
		Attributes: []Attribute{
			{Name: "content", Type: TypeString, Required: true, Doc: "the folder whose files are served, from the repository's root", Effect: EffectNewDeployment, Risk: RiskLow, Since: "0.1.0"},
			{Name: "hosts", Type: TypeStrings, Default: `["NAME.<domain>"]`, Doc: `host names the app answers at; "*.example.com" is every name one level below`, Effect: EffectHot, Risk: RiskMedium, Since: "0.1.0"},
			{Name: "spa", Type: TypeBool, Default: "false", Doc: "serve index.html for unknown paths without an extension", Effect: EffectHot, Risk: RiskLow, Since: "0.1.0"},
			redirectsRow(), headersRow(),
			{Name: "where", Type: TypeBool, Default: "true", Doc: "whether the node that reads this takes the app", Example: `where = node.labels.env == "prod"`, Effect: EffectReplace, Risk: RiskMedium, Since: "0.1.0"},
			{Name: "for_each", Type: TypeExpression, Doc: "a set of texts or a map: one app for each, named NAME-KEY. `each.key` and `each.value` stand for its element. Keys are DNS labels of at most 40 characters", Example: `for_each = toset(["docs", "help"])`, Effect: EffectReplace, Risk: RiskMedium, Since: "0.1.0"},
			{Name: "enabled", Type: TypeBool, Default: "true", Doc: "false keeps the app and its releases but does not serve it; it claims no host then", Effect: EffectHot, Risk: RiskMedium, Since: "0.1.0"},
			{Name: "protect", Type: TypeBool, Default: "false", Doc: "the app cannot be removed or made anew. The node remembers it when the block is gone, so taking the app away needs two commits: one that takes this off, one that removes the block", Effect: EffectHot, Risk: RiskLow, Since: "0.2.0"},
			{Name: "on_remove", Type: TypeString, Default: `"park"`, Allowed: endings(), Doc: "what becomes of the app when its block is gone: park takes it out of service and keeps it in the trash for 30 days, delete removes it with its releases and sets aside what it kept for as long, forget leaves it in service unmanaged. The node remembers it", Effect: EffectHot, Risk: RiskLow, Since: "0.2.0"},
			envRow(),
		},
		Blocks: slices.Concat([]Block{accessBlock(), appLimitsBlock(), runtimeBlock()}, programBlocks()),
		Later:  []string{"analytics", "mail", "room"},
	}
}

// nameForm is what app and node names and for_each keys look like: a DNS label
// of at most forty characters.
var nameForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$`)

const nameHelp = "lower-case letters, digits and hyphens inside, at most 40"

func validName(s string) bool { return nameForm.MatchString(s) }

// app evaluates one app block into its file's unit. A fault of the block
// stalls the block's address, a fault of one instance only that instance.
func (l *load) app(b *block, s *scope, u *Unit) {
	addr := appAddr(b.label(), "")
	r := l.report.about(addr, b.written())
	d := l.shape(b, r)
	u.Secrets = d.secretsNamed(u.Secrets)
	instances, ok := l.instances(d, s, r)
	if !ok && !r.failed() { // the cause is a shared fault, reported elsewhere
		return
	}
	for i, in := range instances {
		ri := l.report.about(in.addr, b.written())
		if r.failed() {
			ri.addr = addr
		}
		o, taken := l.instance(d, in, s, ri)
		switch {
		case r.failed():
			if i == 0 {
				r.diags = append(r.diags, ri.diags...)
			}
		case ri.failed():
			u.Stalled[in.addr] = ri.diags.Sort()
		default:
			u.Warnings = append(u.Warnings, ri.diags...)
			l.place(o, taken, u)
		}
	}
	if r.failed() {
		u.Stalled[addr] = r.diags.Sort()
	}
}

// place adds an evaluated app to those this node takes or to those it leaves.
// In development it takes all and remembers which it would leave.
func (l *load) place(o Object, taken bool, u *Unit) {
	if taken || l.in.AllApps {
		u.Objects = append(u.Objects, o)
	}
	if !taken {
		u.Elsewhere = append(u.Elsewhere, o.Addr)
	}
}

// instance is one app that a block stands for.
type instance struct {
	addr  Addr
	scope *scope // knows each; nil: the file's
}

// instances are the apps that a block stands for: itself, or one for each key.
func (l *load) instances(d *decoded, s *scope, r *reporter) ([]instance, bool) {
	label := d.block.label()
	a := d.attrs["for_each"]
	if a == nil {
		return []instance{{addr: appAddr(label, "")}}, true
	}
	v, ok := s.value(a.Expr, r)
	if !ok {
		return nil, false
	}
	keys, values, ok := eachOf(v, d.spot("for_each"), r)
	if !ok {
		return nil, false
	}
	var list []instance
	seen := map[string]bool{}
	for i, key := range keys {
		if summary, help := keyFault(label, key, seen[key]); summary != "" {
			r.error(codeForEach, d.spot("for_each").element(v, i, key), summary, help)
			continue
		}
		seen[key] = true
		each := cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": values[i]})
		n := names{what: "each", places: map[string]hcl.Range{"key": {}, "value": {}}}
		list = append(list, instance{addr: appAddr(label, key), scope: s.with("each", n, each)})
	}
	return list, !r.failed()
}

// keyFault judges one key of for_each; no summary means that it is fine.
func keyFault(label, key string, again bool) (summary, help string) {
	switch {
	case !validName(key):
		return fmt.Sprintf("%s cannot be a key of for_each", quoted(key)), nameHelp
	case again:
		return fmt.Sprintf("key %q is there twice", key), "each key is one app"
	case len(label)+1+len(key) > 63:
		return fmt.Sprintf("the name %s-%s is longer than 63 characters", label, key), "shorten the label or the key"
	}
	return "", ""
}

// eachOf takes the value of for_each apart.
func eachOf(v cty.Value, p *spot, r *reporter) (keys []string, values []cty.Value, ok bool) {
	switch {
	case v.IsNull():
	case isMap(v):
		m := v.AsValueMap()
		keys = sortedKeys(m)
		for _, k := range keys {
			values = append(values, m[k])
		}
		return keys, values, true
	case isList(v):
		list, ok := decodeStrings(Attribute{Type: TypeStrings}, v, p, r)
		if !ok {
			return nil, nil, false
		}
		for _, k := range list.([]string) {
			keys, values = append(keys, k), append(values, cty.StringVal(k))
		}
		return keys, values, true
	}
	r.error(codeForEach, p.at(), fmt.Sprintf("for_each must be a set of texts or a map, not %s", show(v)), `write for_each = toset(["one", "two"])`)
	return nil, nil, false
}

// element is the range of one key of a map or one element of a list.
func (p *spot) element(v cty.Value, i int, key string) hcl.Range {
	if isMap(v) {
		return p.keyAt(key)
	}
	return p.index(i).at()
}

// instance evaluates one app. The second result tells whether this node takes
// it; of an app that it leaves nothing else is evaluated.
func (l *load) instance(block *decoded, in instance, s *scope, r *reporter) (Object, bool) {
	if in.scope != nil {
		s = in.scope
	}
	d := block.again()
	where, _ := attribute(d.row.Attributes, "where")
	d.evaluate(where, s, r)
	taken := d.bool("where", true)
	if !taken && !r.failed() && !l.in.AllApps {
		return Object{Addr: in.addr}, false
	}
	d.evaluateAll(s, r, where.Name)
	at := d.places()
	a := App{
		Content:   contentOf(d, r),
		Hosts:     l.hosts(d, in.addr.Name(), at, r),
		Spa:       d.bool("spa", false),
		Redirects: redirectsOf(d, r),
		Headers:   headersOf(d, r),
		Disabled:  !d.bool("enabled", true),
		Protect:   d.bool("protect", false),
		OnRemove:  onRemove(d),
		Limits:    appLimits(d, r),
		Access:    l.access(d, r),
	}
	a.program(d, r)
	o := l.lang.newObject(in.addr, KindApp, a)
	o.HoldsData = a.HoldsData()
	o.Range, o.At = rangeOf(d.block.Place), at
	return o, taken
}

// contentOf is the app's folder as a clean path of the tree.
func contentOf(d *decoded, r *reporter) string {
	text, ok := d.values["content"].(string)
	if !ok {
		return ""
	}
	clean := path.Clean(text)
	help := ""
	switch {
	case text == "" || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }):
		help = "name a folder of this repository, with / between its parts"
	case text[0] == '/':
		help = "paths start at the repository's root, without a / before them"
	case clean == ".." || strings.HasPrefix(clean, "../"):
		help = "the folder must be inside this repository"
	case slices.ContainsFunc(strings.Split(clean, "/"), func(s string) bool { return strings.EqualFold(s, ".git") }):
		help = "git's own files are never served"
	default:
		return clean
	}
	r.error(codeContent, d.at("content"), fmt.Sprintf("%s is not a folder of the tree", quoted(text)), help)
	return ""
}

// hosts are the app's host names in canonical form, sorted, each with its
// place; the app's name below the domain where it declares none.
func (l *load) hosts(d *decoded, name string, at map[string]Range, r *reporter) []string {
	declared, _ := d.values["hosts"].([]string)
	var hosts []string
	for i, text := range declared {
		host, err := ParseHostPattern(text)
		place := d.spot("hosts").index(i).at()
		summary, help := hostFinding(text, `"www.example.com" or "*.example.com"`, err)
		switch {
		case summary != "":
			r.error(codeHost, place, summary, help)
		case slices.Contains(hosts, host):
			r.warn(codeHostRepeated, place, fmt.Sprintf("host %q is listed twice", host), "remove one of them")
		default:
			hosts = append(hosts, host)
			at[hostPlace(host)] = rangeOf(place)
		}
	}
	if len(declared) == 0 && !r.failed() && validName(d.block.label()) {
		host, err := ParseHost(name + "." + l.shared.domain)
		if err != nil {
			r.error(codeHost, d.block.name(), sentence(err.Error()), "declare hosts, or shorten edge.domain")
			return nil
		}
		return []string{host}
	}
	slices.Sort(hosts)
	return hosts
}

// hostPlace is the key in Object.At of one host's place.
func hostPlace(host string) string { return `hosts["` + host + `"]` }
