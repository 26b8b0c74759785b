app "blog" {
  content = "blog"
  hosts = [
    "example.com",
    "Example.com.", # WARNING: host "example.com" is listed twice
  ]
  redirects = [
    { from = "/a", to = "/b" },
    { from = "/a", to = "/c" }, # WARNING: this redirect is never reached: "/a" was there before
    { from = "/a", to = "/d", force = true },
  ]
}
