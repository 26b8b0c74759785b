fazt { version = ">= 2.0" } # ERROR: this fazt speaks version 0.6.0 of the language, not >= 2.0
