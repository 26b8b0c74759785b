fazt {
  recipients = [
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
    "ana@example.com", # ERROR: "ana@example.com" is not a recipient of age
    "AGE-SECRET-KEY-1QQ", # ERROR: "recipients[2]" has a private key in it
  ]
}
