// Package docs embeds the book: the pages of this folder, which `fazt docs`
// prints and which are also the skill an agent reads. It knows no code.
package docs

import "embed"

// Book is every page, by its path below docs/.
//
//go:embed *.md tutorials guides reference explanation
var Book embed.FS
