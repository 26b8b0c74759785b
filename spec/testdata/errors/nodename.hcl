node "a b" {} # ERROR: "a b" is not a name for a node
