# What this node serves. Apps stand beside their code in apps/NAME/app.fazt.hcl.
# Every block and attribute: `fazt docs reference/language`.
fazt {
  version = ">= 0.1"
}

variable "domain" {
  type    = string
  default = "localhost"
}

# An app without hosts of its own answers at NAME.<domain>.
edge {
  domain = var.domain
}
