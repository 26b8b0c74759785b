package op

import (
	"fmt"
	"slices"
	"strings"
)

// Completion writes a completion script of the table's words and flags for bash,
// zsh, fish or pwsh. extra are verbs that are not in the table.
func Completion(t Table, shell string, extra []string) (string, error) {
	words := completionWords(t, extra)
	switch shell {
	case "bash":
		return bashCompletion(words), nil
	case "zsh":
		return "#compdef fazt\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion(words), nil
	case "fish":
		return fishCompletion(words), nil
	case "pwsh":
		return pwshCompletion(words), nil
	default:
		return "", usageHint("one of bash, zsh, fish, pwsh", "no completion for the shell %s", quoted(shell))
	}
}

// completion is what may follow some words: "" to the first words, "app" to its
// verbs, "app list" to its flags.
type completion struct {
	after string
	next  []string
}

func completionWords(t Table, extra []string) []completion {
	next := map[string][]string{}
	add := func(after, word string) {
		if !slices.Contains(next[after], word) {
			next[after] = append(next[after], word)
		}
	}
	for _, word := range extra {
		add("", word)
	}
	for _, o := range t {
		words := strings.Fields(o.Row().Name)
		for i, word := range words {
			add(strings.Join(words[:i], " "), word)
		}
		for _, f := range o.o.fields {
			if f.flag != "" && !f.positional && !f.hidden {
				add(o.Row().Name, "--"+f.flag)
			}
		}
	}
	for _, f := range globalFields() {
		add("--", "--"+f.flag)
	}
	var out []completion
	for _, o := range t { // a whole command is an end, so that nothing before it is offered again
		if _, ok := next[o.Row().Name]; !ok {
			next[o.Row().Name] = nil
		}
	}
	for _, after := range sortedKeys(next) {
		slices.Sort(next[after])
		out = append(out, completion{after, next[after]})
	}
	return out
}

// bashCompletion looks up the words before the cursor, dropping the last one until
// something is known to follow. Words are plain, so nothing needs quoting.
func bashCompletion(words []completion) string {
	var b strings.Builder
	b.WriteString(`_fazt() {
  local cur="${COMP_WORDS[COMP_CWORD]}" key="" next="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
      -*|@*) ;;
      *) key="${key:+$key }${COMP_WORDS[i]}" ;;
    esac
  done
  while :; do
    case "$key" in
`)
	globals := ""
	for _, c := range words {
		if c.after == "--" {
			globals = strings.Join(c.next, " ")
			continue
		}
		fmt.Fprintf(&b, "      %q) next=%q; break ;;\n", c.after, strings.Join(c.next, " "))
	}
	fmt.Fprintf(&b, `    esac
    [[ "$key" == *" "* ]] || break
    key="${key%% *}"
  done
  [[ "$cur" == -* ]] && next="$next %s"
  COMPREPLY=($(compgen -W "$next" -- "$cur"))
}
complete -o default -F _fazt fazt
`, globals)
	return b.String()
}

func fishCompletion(words []completion) string {
	var b strings.Builder
	b.WriteString(`function __fazt_after
  set -l words (commandline -opc | string match -v -- '-*' | string match -v -- '@*')
  test "$words[2..]" = "$argv[1]"
end
function __fazt_within
  set -l words (commandline -opc | string match -v -- '-*' | string match -v -- '@*')
  string match -q -- "$argv[1]*" "$words[2..]"
end
`)
	for _, c := range words {
		for _, word := range c.next {
			flag, isFlag := strings.CutPrefix(word, "--")
			switch {
			case c.after == "--":
				fmt.Fprintf(&b, "complete -c fazt -l %s\n", flag)
			case isFlag:
				fmt.Fprintf(&b, "complete -c fazt -n \"__fazt_within '%s'\" -l %s\n", c.after, flag)
			default:
				fmt.Fprintf(&b, "complete -c fazt -n \"__fazt_after '%s'\" -a %s\n", c.after, word)
			}
		}
	}
	return b.String()
}

func pwshCompletion(words []completion) string {
	var b strings.Builder
	b.WriteString("Register-ArgumentCompleter -Native -CommandName fazt -ScriptBlock {\n  param($word, $line, $cursor)\n  $next = @{\n")
	for _, c := range words {
		quoted := make([]string, len(c.next))
		for i, word := range c.next {
			quoted[i] = "'" + word + "'"
		}
		fmt.Fprintf(&b, "    '%s' = @(%s)\n", c.after, strings.Join(quoted, ", "))
	}
	b.WriteString(`  }
  $typed = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" } |
    Where-Object { $_ -notlike '-*' -and $_ -notlike '@*' -and $_ -ne $word })
  while ($typed.Count -gt 0 -and -not $next.ContainsKey($typed -join ' ')) {
    $typed = @($typed | Select-Object -SkipLast 1)
  }
  $words = @($next[$typed -join ' '])
  if ($word -like '-*') { $words += $next['--'] }
  $words | Where-Object { $_ -like "$word*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`)
	return b.String()
}
