# What all apps of this repository share: names, machines, the edge and a rule.
# Reference: docs/reference/language.md.

fazt {
  version = ">= 0.1"
}

variable "domain" {
  type        = string
  default     = "localhost"
  description = "Apps answer at NAME.<domain>."
}

locals {
  # Sent with every page; an app says so with headers = [{ path = "/*", set = local.security }].
  security = {
    "Content-Security-Policy" = join("; ", [
      "default-src 'self'",
      "img-src 'self' data:",
      "object-src 'none'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ])
    "Referrer-Policy"        = "strict-origin-when-cross-origin"
    "X-Content-Type-Options" = "nosniff"
  }
}

# Two machines read this repository. Each takes the apps whose where is true for
# its labels; an app without one runs on both.
node "fra-1" {
  labels = { env = "prod", region = "eu" }
}

node "lab-1" {
  labels = { env = "staging", region = "eu" }
}

edge {
  domain = var.domain
}

# A commit that breaks this is refused as a whole, and nothing changes.
check "pages_are_protected" {
  assert  = alltrue([for a in app : anytrue([for h in a.headers : h.path == "/*"])])
  message = "each app sets local.security on all of its paths"
}
