package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// The files of an export.
const (
	exportShared = "fazt.hcl"
	exportApps   = "apps.fazt.hcl"
)

// Export writes objects as configuration that evaluates to the same objects:
// the apps to apps.fazt.hcl, all else to fazt.hcl. The
// instances of a for_each block come out as one block over a map of their
// arguments. What only
// the author knew (variables, where, expressions) is not in objects and so not
// in the export. An unmanaged app is left out, with a line on how to take it
// back: a block would adopt it.
func Export(objects []Object) (map[string][]byte, error) {
	shared, apps := hclwrite.NewEmptyFile(), hclwrite.NewEmptyFile()
	domain := ""
	groups, left := map[string][]Object{}, []Object{}
	for _, o := range objects {
		if o.Unmanaged {
			left = append(left, o)
			continue
		}
		switch o.Kind {
		case KindEdge:
			var e Edge
			if err := json.Unmarshal(o.Spec, &e); err != nil {
				return nil, fmt.Errorf("%s cannot be read: %w", o.Addr, err)
			}
			domain = e.Domain
			exportEdge(shared.Body(), e)
		case KindLimits:
			var l Limits
			if err := json.Unmarshal(o.Spec, &l); err != nil {
				return nil, fmt.Errorf("%s cannot be read: %w", o.Addr, err)
			}
			shared.Body().AppendNewline()
			exportWritten(shared.Body().AppendNewBlock("limits", nil).Body(), limitsBlock(), l.Written())
		case KindNode:
			var n Node
			if err := json.Unmarshal(o.Spec, &n); err != nil {
				return nil, fmt.Errorf("%s cannot be read: %w", o.Addr, err)
			}
			exportNode(shared.Body(), n)
		case KindSecret:
			var secret Secret
			if err := json.Unmarshal(o.Spec, &secret); err != nil {
				return nil, fmt.Errorf("%s cannot be read: %w", o.Addr, err)
			}
			exportSecret(shared.Body(), o.Name, secret)
		case KindGroup, KindRole, KindOAuth, KindMail, KindLogin, KindWorkload:
			if err := exportThing(shared.Body(), o); err != nil {
				return nil, err
			}
		case KindApp:
			groups[labelOf(o.Addr)] = append(groups[labelOf(o.Addr)], o)
		}
	}
	for i, label := range sortedKeys(groups) {
		if i > 0 {
			apps.Body().AppendNewline()
		}
		if err := exportApp(apps.Body(), label, groups[label], domain); err != nil {
			return nil, err
		}
	}
	exportLeft(apps.Body(), left, len(groups) > 0)
	files := map[string][]byte{exportShared: hclwrite.Format(shared.Bytes())}
	if len(groups)+len(left) > 0 {
		files[exportApps] = hclwrite.Format(apps.Bytes())
	}
	return files, nil
}

// exportLeft says which apps are not in the export, and how they come into it.
func exportLeft(to *hclwrite.Body, left []Object, below bool) {
	if len(left) > 0 && below {
		to.AppendNewline()
	}
	for _, o := range left {
		line := fmt.Sprintf("# %s is in service, and no block declares it: fazt import %s\n", o.Addr, o.Name)
		to.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(line)}})
	}
}

// ExportBlock writes one app as the block that declares it.
func ExportBlock(o Object, domain string) ([]byte, error) {
	f := hclwrite.NewEmptyFile()
	if err := exportApp(f.Body(), labelOf(o.Addr), []Object{o}, domain); err != nil {
		return nil, err
	}
	return hclwrite.Format(f.Bytes()), nil
}

func exportEdge(to *hclwrite.Body, e Edge) {
	body := to.AppendNewBlock("edge", nil).Body()
	if e.Domain != "" {
		body.SetAttributeValue("domain", cty.StringVal(e.Domain))
	}
	if e.Console != "" {
		body.SetAttributeValue("console", cty.StringVal(e.Console))
	}
	if len(e.TrustedProxies) > 0 {
		body.SetAttributeValue("trusted_proxies", textList(e.TrustedProxies))
	}
	if e.ProxyProtocol {
		body.SetAttributeValue("proxy_protocol", cty.True)
	}
	body.SetAttributeValue("tls", e.TLS.value())
	if e.HTTP3 {
		body.SetAttributeValue("http3", cty.True)
	}
}

func exportNode(to *hclwrite.Body, n Node) {
	to.AppendNewline()
	body := to.AppendNewBlock("node", []string{n.Name}).Body()
	if len(n.Labels) > 0 {
		body.SetAttributeValue("labels", textMap(n.Labels))
	}
	if n.Recipient != "" {
		body.SetAttributeValue("recipient", cty.StringVal(n.Recipient))
	}
}

// exportApp writes a block for an app, or for all instances of one.
func exportApp(to *hclwrite.Body, label string, instances []Object, domain string) error {
	body := to.AppendNewBlock("app", []string{label}).Body()
	apps, keys := make([]App, len(instances)), make([]string, len(instances))
	for i, o := range instances {
		if err := json.Unmarshal(o.Spec, &apps[i]); err != nil {
			return fmt.Errorf("%s cannot be read: %w", o.Addr, err)
		}
		_, key, keyed := strings.Cut(string(o.Addr), `["`)
		if !keyed && len(instances) > 1 {
			return fmt.Errorf("%s is one app and an instance of others as well", o.Addr)
		}
		if keys[i] = strings.TrimSuffix(key, `"]`); !keyed {
			exportOne(body, apps[i], o.Name, domain)
			return nil
		}
	}
	return exportEach(body, label, keys, apps)
}

// exportOne writes an app without for_each.
func exportOne(body *hclwrite.Body, a App, name, domain string) {
	arguments := a.arguments(true, name, domain)
	for _, name := range exportOrder() {
		if v := arguments[name]; v != cty.NilVal {
			body.SetAttributeValue(name, v)
		}
	}
	program := a.written().text(appBlock())
	for _, arg := range program.args {
		body.SetAttributeRaw(arg.name, arg.value)
	}
	if a.Limits != nil {
		body.AppendNewline()
		exportWritten(body.AppendNewBlock("limits", nil).Body(), appLimitsBlock(), a.Limits.Written())
	}
	program.args = nil
	program.writeTo(body)
}

// exportEach writes one block over a map of the instances' arguments.
func exportEach(body *hclwrite.Body, label string, keys []string, apps []App) error {
	programs, values := make([]blockText, len(apps)), make([]map[string]hclwrite.Tokens, len(apps))
	limits := map[string]map[string]any{}
	for i, a := range apps {
		programs[i], limits[keys[i]] = a.written().text(appBlock()), a.Limits.Written()
		values[i] = map[string]hclwrite.Tokens{}
		for name, v := range a.arguments(false, "", "") {
			values[i][name] = hclwrite.TokensForValue(v)
		}
	}
	program, ok := sharedText(programs, "", values)
	if !ok {
		return fmt.Errorf("the instances of app.%s have different blocks, which one block cannot say", label)
	}
	used := limitsUsed(limits)
	var each []hclwrite.ObjectAttrTokens
	for i, key := range keys {
		if len(used) > 0 {
			values[i]["limits"] = hclwrite.TokensForValue(limitsValue(limits[key], used))
		}
		var pairs []hclwrite.ObjectAttrTokens
		for _, name := range sortedKeys(values[i]) {
			pairs = append(pairs, hclwrite.ObjectAttrTokens{Name: hclwrite.TokensForIdentifier(name), Value: values[i][name]})
		}
		each = append(each, hclwrite.ObjectAttrTokens{Name: hclwrite.TokensForValue(cty.StringVal(key)), Value: hclwrite.TokensForObject(pairs)})
	}
	body.SetAttributeRaw("for_each", hclwrite.TokensForObject(each))
	for _, name := range exportOrder() {
		body.SetAttributeRaw(name, hclwrite.TokensForIdentifier("each.value."+name))
	}
	for _, arg := range program.args {
		body.SetAttributeRaw(arg.name, arg.value)
	}
	if len(used) > 0 {
		body.AppendNewline()
		inner := body.AppendNewBlock("limits", nil).Body()
		for _, name := range used {
			inner.SetAttributeRaw(name, hclwrite.TokensForIdentifier("each.value.limits."+name))
		}
	}
	program.args = nil
	program.writeTo(body)
	return nil
}

// exportOrder is the order in which a person reads an app's arguments.
func exportOrder() []string {
	return []string{"content", "hosts", "spa", "redirects", "headers", "enabled", "protect", "on_remove"}
}

// arguments are an app's arguments as values, short: only those that say more
// than their default.
func (a App) arguments(short bool, name, domain string) map[string]cty.Value {
	v := map[string]cty.Value{
		"content": cty.StringVal(a.Content), "hosts": textList(a.Hosts), "spa": cty.BoolVal(a.Spa), "enabled": cty.BoolVal(!a.Disabled),
		"protect": cty.BoolVal(a.Protect), "on_remove": cty.StringVal(string(Park)), "redirects": cty.EmptyTupleVal, "headers": cty.EmptyTupleVal,
	}
	if a.OnRemove != "" {
		v["on_remove"] = cty.StringVal(string(a.OnRemove))
	}
	var redirects, headers []cty.Value
	for _, r := range a.Redirects {
		o := map[string]cty.Value{"from": cty.StringVal(r.From), "to": cty.StringVal(r.To), "status": cty.NumberIntVal(int64(r.Status))}
		if r.Force {
			o["force"] = cty.True
		}
		redirects = append(redirects, cty.ObjectVal(o))
	}
	for _, h := range a.Headers {
		headers = append(headers, cty.ObjectVal(map[string]cty.Value{"path": cty.StringVal(h.Path), "set": textMap(h.Set)}))
	}
	if len(redirects) > 0 {
		v["redirects"] = cty.TupleVal(redirects)
	}
	if len(headers) > 0 {
		v["headers"] = cty.TupleVal(headers)
	}
	if !short {
		return v
	}
	for argument, usual := range map[string]bool{
		"spa": !a.Spa, "enabled": !a.Disabled, "protect": !a.Protect, "on_remove": a.OnRemove == "",
		"redirects": len(redirects) == 0, "headers": len(headers) == 0,
		"hosts": domain != "" && slices.Equal(a.Hosts, []string{name + "." + domain}),
	} {
		if usual {
			delete(v, argument)
		}
	}
	return v
}

func textList(list []string) cty.Value {
	values := make([]cty.Value, len(list))
	for i, s := range list {
		values[i] = cty.StringVal(s)
	}
	return cty.TupleVal(values)
}

func textMap(m map[string]string) cty.Value {
	values := map[string]cty.Value{}
	for k, s := range m {
		values[k] = cty.StringVal(s)
	}
	return cty.ObjectVal(values)
}
