oauth "company" {
  issuer        = "https://id.example.com"
  client_id     = "fazt"
  client_secret = "hunter2"      # WARNING: "client_secret" is in plain text
}
mail {
  from     = "hello@example.com"
  smtp     = "smtp://192.0.2.1"
  user     = "hello"
  password = "hunter2"           # WARNING: "password" is in plain text
}
app "a" { content = "a" }
