# Who may do more than look. Everybody here is somebody to try: fazt dev signs in as
# each of them with one click.
# Reference: docs/reference/language.md, blocks "role", "group", "login" and "dev".

role "owner" {
  members = ["asha@example.com"]
}

group "desk" {
  members = ["bo@example.com"]
}

role "editor" {
  members = [group.desk]

  grant {
    actions = ["read", "write"]
    on      = [app.guestbook]
  }
}

# A real provider is a block like this one, with a secret of your own:
#   oauth "google" {
#     client_id     = "81-abc.apps.googleusercontent.com"
#     client_secret = secret.google
#   }

dev {
  user "asha" {
    email = "asha@example.com"
    name  = "Asha, who owns it"
  }
  user "bo" {
    email = "bo@example.com"
    name  = "Bo of the desk"
  }
  user "cleo" {
    email = "cleo@example.net"
    name  = "Cleo, a visitor"
  }
}
