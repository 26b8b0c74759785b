app "notes" {
  content = "notes"
  access {
    path  = "/a/*"
    allow = ["anyone"]
  }
  access {                # WARNING: this access block is never reached: "/a/*" was there before
    path  = "/a/b"
    allow = []
  }
  access {                # WARNING: this access block is never reached: "/a/*" was there before
    path  = "/a"
    allow = []
  }
  access {
    path  = "/ab"
    allow = []
  }
  access { allow = [] }
  access { allow = [] }   # WARNING: this access block is never reached: "/*" was there before
}
