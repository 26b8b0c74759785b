// Which page an address stands for. The node serves index.html for all of them.

import { about, board, boards, missing } from "./pages.js";
import { find } from "./store.js";

export function match(path) {
  if (path === "/") return { title: "Boards", render: boards };
  if (path === "/about") return { title: "About · Boards", render: about };
  const [, id] = path.match(/^\/board\/([a-z0-9-]+)$/) ?? [];
  const found = id && find(id);
  if (found) return { title: `${found.name} · Boards`, render: () => board(found) };
  return { title: "Not found · Boards", render: missing };
}
