package op

import (
	"strings"

	"github.com/fazt-sh/fazt/platform/fault"
)

// Curl writes the request of a call as a curl command, with the token masked: it
// is read from the environment variable FAZT_TOKEN instead. A folder is shown as
// a tar to be made first.
func (c *Client) Curl(o Op, in any) (string, error) {
	if o.o == nil {
		return "", fault.New(fault.Internal, "no operation to show")
	}
	text, err := o.o.encode(in)
	if err != nil {
		return "", err
	}
	v, err := o.o.value(in)
	if err != nil {
		return "", err
	}
	words := []string{"curl", "-sS"}
	if c.Socket != "" {
		words = append(words, "--unix-socket", shellQuote(c.Socket))
	}
	words = append(words, shellQuote(c.base()+o.Path()))
	if c.Token != "" {
		words = append(words, "-H", `"Authorization: Bearer $FAZT_TOKEN"`)
	}
	if !o.o.upload() {
		words = append(words, "-H", shellQuote("Content-Type: "+typeJSON), "-d", shellQuote(string(text)))
		return strings.Join(words, " "), nil
	}
	words = append(words, "-F", shellQuote("in="+string(text)+";type="+typeJSON))
	var before string
	for i := range o.o.fields {
		f := &o.o.fields[i]
		name := ""
		switch part := v.FieldByIndex(f.index).Interface().(type) {
		case Tree:
			if name = part.Name; name != "" {
				before += "tar -C " + shellQuote(name) + " --exclude=.git -cf " + f.json + ".tar . && "
				name = f.json + ".tar"
			}
		case File:
			name = part.Name
		}
		if name != "" {
			words = append(words, "-F", shellQuote(f.json+"=@"+name))
		}
	}
	return before + strings.Join(words, " "), nil
}

// shellQuote makes text one word of a POSIX shell.
func shellQuote(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if text != "" && strings.TrimFunc(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
