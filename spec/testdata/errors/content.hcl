app "a" { content = "../site" }     # ERROR: "../site" is not a folder of the tree
app "b" { content = "a/../../b" }   # ERROR: "a/../../b" is not a folder of the tree
app "c" { content = "/etc" }        # ERROR: "/etc" is not a folder of the tree
app "d" { content = "" }            # ERROR: "" is not a folder of the tree
app "e" { content = "a\\b" }        # ERROR: "a\\b" is not a folder of the tree
app "f" { content = "a/.git/hooks" } # ERROR: "a/.git/hooks" is not a folder of the tree
app "g" { content = "a\nb" }        # ERROR: "a\nb" is not a folder of the tree
