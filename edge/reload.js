(() => {
  const { release } = document.currentScript.dataset;
  const stream = new EventSource("/_fazt/reload?have=" + release);
  stream.addEventListener("reload", () => { stream.close(); location.reload(); });
  stream.addEventListener("trouble", (event) => show(JSON.parse(event.data)));
  addEventListener("pagehide", () => stream.close());

  const style = `
    section { position: fixed; inset: auto 0 0; z-index: 2147483647; box-sizing: border-box; max-height: 70vh; overflow: auto;
      padding: 1rem 1.25rem; border-top: 4px solid #d92d20; background: #1c1917; color: #fafaf9; font: 14px/1.5 system-ui, sans-serif; text-align: left }
    header { display: flex; justify-content: space-between; gap: 1rem; align-items: start }
    h2 { margin: 0; font-size: 1rem }
    p { margin: .25rem 0 .75rem; opacity: .8 }
    pre { margin: 0; overflow-x: auto; font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; white-space: pre }
    button { font: inherit; color: inherit; background: none; border: 1px solid #a8a29e; border-radius: .4rem; min-height: 2rem; padding: 0 .75rem; cursor: pointer }
    :focus-visible { outline: 2px solid #fafaf9; outline-offset: 2px }`;
  let panel;

  // What was saved last and cannot be served, over the page of the release before;
  // a page that is about nothing else shows it itself.
  function show(text) {
    panel?.remove();
    const own = document.getElementById("fazt-trouble");
    if (own) own.textContent = text || own.textContent;
    if (own || !text) return;
    panel = document.createElement("fazt-trouble");
    const root = panel.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // a policy of the page may forbid style elements
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [sheet];
    const element = (name, text = "") => Object.assign(document.createElement(name), { textContent: text });
    const box = element("section");
    box.setAttribute("role", "alert");
    box.tabIndex = -1;
    const head = element("header");
    const close = element("button", "Hide");
    close.addEventListener("click", () => panel.remove());
    head.append(element("h2", "What you saved is not served"), close);
    box.append(head, element("p", "This page is the last release that worked. It reloads when this is mended."), element("pre", text));
    root.append(box);
    document.body.append(panel);
  }
})();
