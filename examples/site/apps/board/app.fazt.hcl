# A task board: one page that draws every address itself, kept in the browser.
# Reference: docs/reference/language.md, block "app".

app "board" {
  content = "apps/board"
  spa     = true
  headers = [{ path = "/*", set = local.security }]
}
