// Small comforts for readers; every page works without them.

const menu = document.querySelector(".side details");
const wide = matchMedia("(min-width: 56rem)");
const fold = () => { menu.open = wide.matches; };
wide.addEventListener("change", fold);
fold();

for (const block of document.querySelectorAll("pre")) {
  const button = document.createElement("button");
  button.className = "copy";
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  block.append(button);
}

// Left and right arrow keys turn pages, unless something else has the focus.
addEventListener("keydown", (event) => {
  if (event.target !== document.body || event.altKey || event.ctrlKey || event.metaKey) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  document.querySelector(`.pager a[rel="${rel}"]`)?.click();
});
