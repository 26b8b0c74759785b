package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// bindingLabel is the label of a block that code knows as env.NAME.
const bindingLabel = "name"

func kvBlock() Block {
	return Block{
		Name: "kv", Labels: []string{bindingLabel}, Since: "0.4.0",
		Doc:     "A store of keys and values, as `env.NAME`. It has no arguments.",
		Example: "kv \"CACHE\" {}",
	}
}

func sqlBlock() Block {
	return Block{
		Name: "sql", Labels: []string{bindingLabel}, Since: "0.4.0", Once: true,
		Why:     "an app has one database, so that its tables, keys, documents and jobs change together in one file; all its tables go there",
		Doc:     "The app's SQL database, SQLite, as `env.NAME`.",
		Example: "sql \"DB\" {\n  migrations = \"migrations\"\n}",
		Attributes: []Attribute{
			{Name: "migrations", Type: TypeString, Doc: "a folder of the content folder, never served: its *.sql files run in the order of their names, each once, when the app is staged", Effect: EffectNewDeployment, Risk: RiskMedium, Since: "0.4.0"},
			{Name: "durability", Type: TypeString, Default: `"full"`, Allowed: []string{DurabilityFull, DurabilityNormal}, Doc: "full: what was answered is on the disk. normal: faster; when the power fails the last moments may be missing, and nothing is damaged. It holds for all data of the app", Effect: EffectHot, Risk: RiskMedium, Since: "0.4.0"},
		},
	}
}

func docsBlock() Block {
	return Block{
		Name: "docs", Labels: []string{bindingLabel}, Since: "0.4.0",
		Doc:     "A store of documents, as `env.NAME`.",
		Example: "docs \"PAGES\" {\n  index \"by_parent\" { on = [\"parent\", \"order\"] }\n}",
		Blocks: []Block{ruleBlock(), {
			Name: "index", Labels: []string{"name"}, Since: "0.4.0",
			Doc:     "Fields that documents are found by.",
			Example: "index \"by_mail\" {\n  on     = [\"author.mail\"]\n  unique = true\n}",
			Attributes: []Attribute{
				{Name: "on", Type: TypeStrings, Required: true, Doc: "the fields in the order in which they are asked for; a dot leads into a field", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
				{Name: "unique", Type: TypeBool, Default: "false", Doc: "two documents cannot have equal values in all of them", Effect: EffectHot, Risk: RiskMedium, Since: "0.4.0"},
			},
		}},
	}
}

func blobsBlock() Block {
	return Block{
		Name: "blobs", Labels: []string{bindingLabel}, Since: "0.4.0",
		Doc:     "A store of files, as `env.NAME`.",
		Example: "blobs \"FILES\" {\n  quota = \"5GiB\"\n  serve = \"/files/*\"\n}",
		Attributes: []Attribute{
			{Name: "quota", Type: TypeSize, Min: "1KiB", Max: "1024TiB", Doc: "what its files may have in all; without it limits.storage of the app is the only bound", Effect: EffectHot, Risk: RiskLow, Since: "0.4.0"},
			{Name: "serve", Type: TypeString, Doc: "where visitors get its files without the code being asked: a path with a /* at its end", Effect: EffectHot, Risk: RiskMedium, Since: "0.4.0"},
		},
	}
}

// stores fills in where an app keeps data.
func (a *App) stores(app *decoded, r *reporter) {
	for _, d := range app.blocks {
		name := d.block.label()
		switch d.block.Type {
		case "kv":
			a.KV = append(a.KV, KV{Name: name})
		case "sql":
			a.SQL = &SQL{Name: name, Migrations: pathBelow(d, "migrations", "folder", r), Durability: d.string("durability")}
			drop(&a.SQL.Durability, DurabilityFull)
		case "docs":
			a.Docs = append(a.Docs, Docs{Name: name, Indexes: indexesOf(d, r), Rules: docRules(d, r)})
		case "blobs":
			a.Blobs = append(a.Blobs, Blobs{Name: name, Quota: d.number("quota"), Serve: serveOf(d, r)})
		}
	}
	sortBy(a.KV, func(b KV) string { return b.Name })
	sortBy(a.Docs, func(b Docs) string { return b.Name })
	sortBy(a.Blobs, func(b Blobs) string { return b.Name })
}

// indexForm and fieldForm are the names of indexes and of the fields of
// documents. They are put together when they are asked for, as is every form that
// has long repeats: those of all rooms were a quarter of the program's start.
var (
	indexForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`) })
	fieldForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}(?:\.[A-Za-z_][A-Za-z0-9_]{0,63}){0,7}$`)
	})
)

// maxIndexed is how many fields one index may have.
const maxIndexed = 8

// indexesOf are the indexes of a store of documents.
func indexesOf(docs *decoded, r *reporter) []Index {
	var list []Index
	first := map[string]*decoded{}
	for _, d := range docs.blocks {
		if d.block.Type != "index" {
			continue
		}
		i := Index{Name: d.block.label(), Unique: d.bool("unique", false)}
		i.On, _ = d.values["on"].([]string)
		if other := first[i.Name]; other != nil {
			r.twice(d.block.name(), d.block.written(), other.block.name())
			continue
		}
		first[i.Name] = d
		if !indexForm().MatchString(i.Name) {
			r.error(codeName, d.block.name(), fmt.Sprintf("%s is not a name for an index", quoted(i.Name)), "lower-case letters, digits and _, beginning with a letter, at most 40")
		}
		judgeFields(i.On, d, r)
		list = append(list, i)
	}
	sortBy(list, func(i Index) string { return i.Name })
	return list
}

func judgeFields(fields []string, d *decoded, r *reporter) {
	if _, given := d.values["on"]; given && (len(fields) == 0 || len(fields) > maxIndexed) {
		r.error(codeValue, d.at("on"), fmt.Sprintf("an index has 1 to %d fields, not %d", maxIndexed, len(fields)), `write on = ["field"]`)
	}
	for i, field := range fields {
		switch place := d.spot("on").index(i); {
		case !fieldForm().MatchString(field):
			r.error(codeValue, place.at(), fmt.Sprintf("%s is not a field of a document", quoted(field)), `write it as "parent" or "author.mail": letters, digits and _`)
		case slices.Contains(fields[:i], field):
			r.error(codeValue, place.at(), fmt.Sprintf("field %q is there twice", field), "remove one of them")
		}
	}
}

// serveOf is where a store's files are served.
func serveOf(d *decoded, r *reporter) string {
	text, given := d.values["serve"].(string)
	if !given {
		return ""
	}
	if fault := patternFault(text); fault != "" || !strings.HasSuffix(text, "/*") || text == "/*" {
		r.error(codeValue, d.at("serve"), fmt.Sprintf("%s is not a path that files can be below", quoted(text)), `write it as "/files/*"`)
	}
	return text
}
