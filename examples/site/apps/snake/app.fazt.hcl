# A game for the break: a canvas, keys, buttons and swipes, no server behind it.
# Reference: docs/reference/language.md, block "app".

app "snake" {
  content = "apps/snake"
  headers = [{ path = "/*", set = local.security }]
}
