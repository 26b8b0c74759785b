group "a" { members = [group.b, "ana@example.com"] }   # ERROR: these groups are in each other: group.a → group.b → group.c → group.a
group "b" { members = [group.c] }
group "c" { members = ["group:a"] }
group "self" { members = [group.self] }                # ERROR: these groups are in each other: group.self → group.self
group "fine" { members = [group.a] }
