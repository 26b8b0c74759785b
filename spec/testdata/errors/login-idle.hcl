login { idle = "8d" }                           # ERROR: "idle" is longer than "absolute"
app "a" { content = "a" }
