package spec

import (
	"cmp"
	"time"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// written gathers arguments as a person writes them; zero is not set.
type written map[string]any

func (w written) number(name string, n int) {
	if n != 0 {
		w[name] = n
	}
}

func (w written) text(name, s string) {
	if s != "" {
		w[name] = s
	}
}

func (w written) truth(name string, is, usual bool) {
	if is != usual {
		w[name] = is
	}
}

func (w written) list(name string, list []string) {
	if len(list) > 0 {
		w[name] = list
	}
}

// duration writes milliseconds; a negative length is one that was switched off
// by a 0.
func (w written) duration(name string, ms int64) {
	if ms != 0 {
		w[name] = FormatDuration(time.Duration(max(0, ms)) * time.Millisecond)
	}
}

// size writes bytes; a negative size is one that was switched off by a 0.
func (w written) size(name string, n int64) {
	switch {
	case n > 0:
		w[name] = FormatSize(n)
	case n < 0:
		w[name] = 0
	}
}

// value is the argument as one writes it.
func (t TLS) value() cty.Value {
	v := map[string]cty.Value{"mode": cty.StringVal(cmp.Or(t.Mode, TLSOff))}
	setText(v, "email", t.Email)
	setText(v, "ca", t.CA)
	setText(v, "ca_root", t.CARoot)
	if d := t.DNS; d != nil {
		dns := map[string]cty.Value{}
		setText(dns, "provider", d.Provider)
		setText(dns, "credential", d.Credential)
		setText(dns, "server", d.Server)
		setText(dns, "zone", d.Zone)
		setText(dns, "key_name", d.KeyName)
		setText(dns, "algorithm", d.Algorithm)
		v["dns"] = cty.ObjectVal(dns)
	}
	var files []cty.Value
	for _, f := range t.Files {
		files = append(files, cty.ObjectVal(map[string]cty.Value{"cert": cty.StringVal(f.Cert), "key": cty.StringVal(f.Key)}))
	}
	if len(files) > 0 {
		v["files"] = cty.TupleVal(files)
	}
	return cty.ObjectVal(v)
}

func setText(v map[string]cty.Value, key, text string) {
	if text != "" {
		v[key] = cty.StringVal(text)
	}
}

// exportWritten writes arguments in the order of their row.
func exportWritten(body *hclwrite.Body, row Block, w map[string]any) {
	for _, a := range row.Attributes {
		if v, ok := w[a.Name]; ok {
			body.SetAttributeValue(a.Name, valueOf(v))
		}
	}
}

// valueOf is what was written as a value.
func valueOf(w any) cty.Value {
	switch w := w.(type) {
	case int:
		return cty.NumberIntVal(int64(w))
	case float64:
		return cty.NumberFloatVal(w)
	case string:
		return cty.StringVal(w)
	case bool:
		return cty.BoolVal(w)
	case []string:
		return textList(w)
	case map[string]string:
		v := map[string]cty.Value{}
		for key, text := range w {
			v[key] = cty.StringVal(text)
		}
		return cty.ObjectVal(v)
	case []int:
		list := make([]cty.Value, len(w))
		for i, n := range w {
			list[i] = cty.NumberIntVal(int64(n))
		}
		return cty.TupleVal(list)
	}
	v := map[string]cty.Value{}
	for key, inner := range w.(map[string]any) {
		v[key] = valueOf(inner)
	}
	return cty.ObjectVal(v)
}

// limitsUsed are the limits that any instance sets, in the order of the table.
func limitsUsed(instances map[string]map[string]any) []string {
	var used []string
	for _, a := range appLimitsBlock().Attributes {
		for _, w := range instances {
			if w[a.Name] != nil {
				used = append(used, a.Name)
				break
			}
		}
	}
	return used
}

// limitsValue are one instance's limits, null where it does not set one.
func limitsValue(w map[string]any, used []string) cty.Value {
	v := map[string]cty.Value{}
	for _, name := range used {
		v[name] = cty.NullVal(cty.String)
		if w[name] != nil {
			v[name] = valueOf(w[name])
		}
	}
	return cty.ObjectVal(v)
}
