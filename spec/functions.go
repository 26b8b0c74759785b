package spec

import (
	"errors"
	"math/big"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// builtin is one function that every expression may call.
type builtin struct {
	name, args, doc string
	fn              function.Function
}

// builtins are the reviewed functions: equal arguments give equal results, and
// none reads the time, the environment or the network. The file functions,
// which read the tree, are in filesystem.go.
func builtins() []builtin {
	return []builtin{
		{"abs", "number", "the number without its sign", stdlib.AbsoluteFunc},
		{"alltrue", "list", "whether every element is true; true for none", allTrue()},
		{"anytrue", "list", "whether any element is true; false for none", anyTrue()},
		{"bytes", `"1MiB"`, "a size in bytes; KiB, MiB, GiB, TiB and KB, MB, GB, TB", bytesFunc()},
		{"ceil", "number", "the next whole number above", stdlib.CeilFunc},
		{"chomp", "text", "the text without line breaks at its end", stdlib.ChompFunc},
		{"chunklist", "list, size", "the list cut into lists of a size", stdlib.ChunklistFunc},
		{"coalesce", "values…", "the first value that is not null", stdlib.CoalesceFunc},
		{"coalescelist", "lists…", "the first list that is not empty", stdlib.CoalesceListFunc},
		{"compact", "list", "the list without empty texts", stdlib.CompactFunc},
		{"concat", "lists…", "the lists one after another", stdlib.ConcatFunc},
		{"contains", "list, value", "whether the list has the value", stdlib.ContainsFunc},
		{"csvdecode", "text", "a list of objects from CSV with a header line", stdlib.CSVDecodeFunc},
		{"distinct", "list", "the list without repetitions", stdlib.DistinctFunc},
		{"duration", `"1h30m"`, "a length of time in seconds; ms, s, m, h, d, w", durationFunc()},
		{"element", "list, index", "one element; the index wraps around", stdlib.ElementFunc},
		{"endswith", "text, end", "whether the text ends so", textTest(strings.HasSuffix)},
		{"flatten", "list", "lists in lists as one list", stdlib.FlattenFunc},
		{"floor", "number", "the next whole number below", stdlib.FloorFunc},
		{"format", "spec, values…", `text by a pattern: format("%02d", 7)`, stdlib.FormatFunc},
		{"formatdate", "spec, time", "a given time as text; there is no function for the time now", stdlib.FormatDateFunc},
		{"formatlist", "spec, lists…", "format over each element", stdlib.FormatListFunc},
		{"indent", "spaces, text", "the text with every line but the first indented", stdlib.IndentFunc},
		{"int", "number", "the number without its fraction", stdlib.IntFunc},
		{"join", "separator, list", "the elements as one text", stdlib.JoinFunc},
		{"jsondecode", "text", "the value of JSON text", stdlib.JSONDecodeFunc},
		{"jsonencode", "value", "the value as JSON text", stdlib.JSONEncodeFunc},
		{"keys", "map", "the keys, sorted", stdlib.KeysFunc},
		{"length", "list", "how many elements a list, set or map has", stdlib.LengthFunc},
		{"log", "number, base", "the logarithm", stdlib.LogFunc},
		{"lookup", "map, key, default", "the value of a key, or the default", stdlib.LookupFunc},
		{"lower", "text", "the text in lower case", stdlib.LowerFunc},
		{"max", "numbers…", "the largest number", stdlib.MaxFunc},
		{"merge", "maps…", "one map; later ones win", stdlib.MergeFunc},
		{"min", "numbers…", "the smallest number", stdlib.MinFunc},
		{"parseint", "text, base", "a whole number from text", stdlib.ParseIntFunc},
		{"pow", "number, exponent", "the power", stdlib.PowFunc},
		{"range", "from, to, step", "a list of numbers", stdlib.RangeFunc},
		{"regex", "pattern, text", "what the pattern matches (RE2)", stdlib.RegexFunc},
		{"regexall", "pattern, text", "all that the pattern matches", stdlib.RegexAllFunc},
		{"regexreplace", "text, pattern, new", "the text with all matches replaced", stdlib.RegexReplaceFunc},
		{"replace", "text, old, new", "the text with all occurrences replaced", stdlib.ReplaceFunc},
		{"reverse", "list", "the list backwards", stdlib.ReverseListFunc},
		{"setintersection", "sets…", "what all sets have", stdlib.SetIntersectionFunc},
		{"setproduct", "sets…", "every combination", stdlib.SetProductFunc},
		{"setsubtract", "set, set", "the first set without the second", stdlib.SetSubtractFunc},
		{"setsymmetricdifference", "sets…", "what only one set has", stdlib.SetSymmetricDifferenceFunc},
		{"setunion", "sets…", "what any set has", stdlib.SetUnionFunc},
		{"signum", "number", "-1, 0 or 1", stdlib.SignumFunc},
		{"slice", "list, from, to", "a part of the list", stdlib.SliceFunc},
		{"sort", "list", "the texts in order", stdlib.SortFunc},
		{"split", "separator, text", "the parts of a text", stdlib.SplitFunc},
		{"startswith", "text, start", "whether the text begins so", textTest(strings.HasPrefix)},
		{"strlen", "text", "how many characters the text has", stdlib.StrlenFunc},
		{"strrev", "text", "the text backwards", stdlib.ReverseFunc},
		{"substr", "text, from, length", "a part of the text", stdlib.SubstrFunc},
		{"timeadd", "time, duration", "a given time moved", stdlib.TimeAddFunc},
		{"title", "text", "the text with every word capitalised", stdlib.TitleFunc},
		{"tobool", "value", "the value as a bool", stdlib.MakeToFunc(cty.Bool)},
		{"tolist", "value", "the value as a list", stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType))},
		{"tomap", "value", "the value as a map", stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType))},
		{"tonumber", "value", "the value as a number", stdlib.MakeToFunc(cty.Number)},
		{"toset", "value", "the value as a set", stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType))},
		{"tostring", "value", "the value as text", stdlib.MakeToFunc(cty.String)},
		{"trim", "text, characters", "the text without these characters at its ends", stdlib.TrimFunc},
		{"trimprefix", "text, start", "the text without that beginning", stdlib.TrimPrefixFunc},
		{"trimspace", "text", "the text without space at its ends", stdlib.TrimSpaceFunc},
		{"trimsuffix", "text, end", "the text without that end", stdlib.TrimSuffixFunc},
		{"upper", "text", "the text in upper case", stdlib.UpperFunc},
		{"values", "map", "the values, in the order of their keys", stdlib.ValuesFunc},
		{"zipmap", "keys, values", "a map of two lists", stdlib.ZipmapFunc},
	}
}

// functionSchemas are the functions for the reference page, by name.
func functionSchemas() []FunctionSchema {
	var list []FunctionSchema
	for _, b := range slices.Concat(builtins(), fileFunctions(nil), []builtin{sealing(sealedType())}) {
		list = append(list, FunctionSchema{Name: b.name, Args: b.args, Doc: b.doc})
	}
	sortBy(list, func(f FunctionSchema) string { return f.Name })
	return list
}

// allTrue folds a list of bools.
func allTrue() function.Function { return fold(true, func(a, b bool) bool { return a && b }) }

// anyTrue folds a list of bools.
func anyTrue() function.Function { return fold(false, func(a, b bool) bool { return a || b }) }

func fold(start bool, step func(a, b bool) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			result := start
			for _, v := range args[0].AsValueSlice() {
				if v.IsNull() {
					return cty.NilVal, errors.New("an element is null")
				}
				result = step(result, v.True())
			}
			return cty.BoolVal(result), nil
		},
	})
}

// textTest is a question about two texts.
func textTest(test func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// amount is a function from a written amount to a number.
func amount(read func(string) (*big.Float, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "amount", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			n, err := read(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.NumberVal(n), nil
		},
	})
}

func bytesFunc() function.Function { return amount(parseSize) }

func durationFunc() function.Function {
	return amount(func(s string) (*big.Float, error) {
		d, err := ParseDuration(s)
		if err != nil {
			return nil, err
		}
		return new(big.Float).Quo(new(big.Float).SetInt64(d.Milliseconds()), big.NewFloat(1000)), nil
	})
}
