# A small blog of plain pages, served at blog.<domain>.
# Every block and attribute: `fazt docs reference/language`.
app "blog" {
  content = "apps/blog"

  redirects = [
    { from = "/feed", to = "/feed.xml" },
  ]
  headers = [
    { path = "/feed.xml", set = { "Cache-Control" = "public, max-age=600" } },
  ]
}
