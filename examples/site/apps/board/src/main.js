// Starts the board: turns clicks on links into pages without a reload, and
// draws the page again whenever the address or the stored boards change.

import { match } from "./routes.js";
import { subscribe } from "./store.js";

const main = document.getElementById("main");

function draw() {
  const { title, render } = match(location.pathname);
  document.title = title;
  main.replaceChildren(render());
}

export function go(path) {
  history.pushState(null, "", path);
  draw();
  main.focus();
  scrollTo(0, 0);
}

addEventListener("popstate", draw);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.origin !== location.origin || link.hash) return;
  event.preventDefault();
  go(link.pathname);
});

subscribe(draw);
draw();
