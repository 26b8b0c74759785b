package op

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reference writes the page of all operations, docs/reference/operations.md:
// every command with its flags, exit codes and effect, and its twin in the API.
func Reference(t Table) []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	l := t.Listing("")
	b.WriteString("\n## Global flags\n\nThey may stand anywhere before `--`.\n\n| flag | meaning |\n|---|---|\n")
	for _, f := range globalFields() {
		d := f.describe()
		fmt.Fprintf(&b, "| `%s` | %s |\n", escapeCell(flagWord(d)), escapeCell(d.Help+defaultText(d)))
	}
	b.WriteString("\n## All operations\n\n| command | effect | permission | API |\n|---|---|---|---|\n")
	for _, e := range l.Operations {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s |\n", e.Name, strings.ReplaceAll(e.Name, " ", "-"), effectWord(e), e.Needs, apiWord(e))
	}
	for _, e := range l.Operations {
		referenceEntry(&b, e)
	}
	return []byte(b.String())
}

const referenceHead = `# Operations

<!-- generated from the operation table by "make gen"; do not edit -->

Every operation is a command and a path of the API, made from the same row. A
command may be run on another node by putting ` + "`@peer`" + ` before it. ` + "`POST`" + ` takes the
fields as a JSON object; what only reads also answers ` + "`GET`" + ` with the flags as a
query. Folders and files are sent as ` + "`multipart/form-data`" + `: first a part ` + "`in`" + ` with the
JSON, then a part per field, a folder as a tar. Unknown fields are refused.

An answer is one JSON document; a stream is one JSON value a line, first
` + "`{\"type\":\"version\",…}`" + `, then ` + "`{\"type\":\"item\",\"item\":…}`" + `, last
` + "`{\"type\":\"result\",\"ok\":…,\"exit\":…}`" + `. A failure is
` + "`{\"error\":{\"kind\",\"code\",\"message\",\"hint\",\"subject\",\"docs\",\"exit\",\"ref\"},\"diagnostics\":[…]}`" + `.
` + "`--json`" + ` prints these very bytes.

## Exit codes

| code | meaning | HTTP |
|---|---|---|
| 0 | done, or nothing to do | 200 |
| 1 | the operation failed | 500, or 200 with ` + "`Fazt-Exit: 1`" + ` |
| 2 | with ` + "`--detailed-exitcode`" + `: fine, and there are changes | 200 with ` + "`Fazt-Exit: 2`" + ` |
| 3 | the input or configuration is invalid | 400 |
| 4 | not signed in, or not allowed | 401, 403 |
| 5 | refused by a guard | 409 |
| 6 | the named thing does not exist | 404 |
| 7 | the node cannot be reached, or did not answer in time | 503 |
| 8 | busy, or over a limit | 429 |
| 64 | the command line is wrong | |
| 130 | interrupted | |
`

func defaultText(f Field) string {
	if f.Default == "" || f.Default == "0s" || strings.Contains(f.Help, "default") {
		return ""
	}
	return " (default " + f.Default + ")"
}

func effectWord(e Entry) string {
	word := string(e.Effect)
	switch {
	case e.Local:
		return "this machine"
	case e.Offline:
		word += ", offline"
	}
	if e.Stream {
		word += ", stream"
	}
	return word
}

func apiWord(e Entry) string {
	if e.Path == "" {
		return ""
	}
	return "`" + method(e) + " " + e.Path + "`"
}

// method is the methods an operation answers.
func method(e Entry) string {
	if e.Effect == Read && !slices.ContainsFunc(e.Fields, func(f Field) bool { return f.Type == "folder" || f.Type == "file" }) {
		return "GET, POST"
	}
	return "POST"
}

func referenceEntry(b *strings.Builder, e Entry) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n", e.Name, sentence(e.Summary))
	fmt.Fprintf(b, "```\n%s\n```\n", e.Usage)
	if e.Path != "" {
		fmt.Fprintf(b, "\nAPI: %s. Effect: %s.", apiWord(e), effectWord(e))
		if e.Needs != "" {
			fmt.Fprintf(b, " Needs the permission `%s`.", e.Needs)
		}
	} else {
		b.WriteString("\nRuns on this machine; it has no API.")
	}
	if e.Since != "" {
		fmt.Fprintf(b, " Since %s.", e.Since)
	}
	b.WriteString("\n")
	if e.Detail != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(e.Detail))
	}
	referenceFields(b, e)
	if len(e.Examples) > 0 {
		b.WriteString("\n```sh\n")
		for _, x := range e.Examples {
			if x.Note != "" {
				fmt.Fprintf(b, "# %s\n", x.Note)
			}
			fmt.Fprintf(b, "fazt %s\n", x.Command)
		}
		b.WriteString("```\n")
	}
	if len(e.Exits) > 0 {
		b.WriteString("\n| exit | meaning |\n|---|---|\n")
		for _, code := range sortedExits(e.Exits) {
			fmt.Fprintf(b, "| %s | %s |\n", code, escapeCell(e.Exits[code]))
		}
	}
}

func referenceFields(b *strings.Builder, e Entry) {
	if len(e.Fields) == 0 {
		return
	}
	b.WriteString("\n| command line | API field | type | meaning |\n|---|---|---|---|\n")
	for _, f := range e.Fields {
		if f.Hidden {
			continue
		}
		word, key, kind := flagWord(f), "", f.Type
		switch {
		case f.Argument:
			word = argumentWord(f)
		case f.Flag == "":
			word = "--confirm NAME"
		}
		if f.Key != "" && e.Path != "" {
			key = "`" + f.Key + "`"
		}
		if len(f.Enum) > 0 {
			kind = "one of " + strings.Join(f.Enum, ", ")
		}
		if f.Required {
			kind += "; required"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", escapeCell(word), key, escapeCell(kind), escapeCell(f.Help+defaultText(f)))
	}
}

// sentence begins text with a capital.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	_, size := utf8.DecodeRuneInString(text)
	return strings.ToUpper(text[:size]) + text[size:]
}

func escapeCell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "\n", " ")
}

func sortedExits(exits map[string]string) []string {
	codes := sortedKeys(exits)
	slices.SortFunc(codes, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	return codes
}
