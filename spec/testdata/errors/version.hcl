fazt { version = "newest" } # ERROR: "newest" is not a version
