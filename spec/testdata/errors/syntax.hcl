locals { a = 1 }
app "blog" {
  hosts = ["a", "b" 
  spa   = true # ERROR: missing item separator
}
