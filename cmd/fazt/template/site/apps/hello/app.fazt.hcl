# The first app: the files in this folder, served at hello.<domain>.
# Every block and attribute: `fazt docs reference/language`.
app "hello" {
  content = "apps/hello"
}
