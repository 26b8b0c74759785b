// Makes links and shows the latest ones.

const $ = (id) => document.getElementById(id);
const [form, list, status] = ["form", "list", "status"].map($);
const until = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const address = (slug) => `${location.origin}/to/${slug}`;

function element(tag, text, attributes = {}) {
  const e = document.createElement(tag);
  e.textContent = text;
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  return e;
}

function row({ slug, url, expires, hits }) {
  const item = element("li", "");
  const copy = element("button", "Copy", { type: "button", "aria-label": `Copy the short address of ${slug}` });
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(address(slug));
    say(`${address(slug)} is on the clipboard.`);
  });
  const visits = hits === 1 ? "1 visit" : `${hits} visits`;
  item.append(
    element("a", `/to/${slug}`, { href: `/to/${slug}` }),
    element("span", url, { class: "url" }),
    element("span", `${visits}, ends ${until.format(expires)}`, { class: "soft" }),
    copy,
  );
  return item;
}

function say(message, wrong = false) {
  status.textContent = message;
  status.classList.toggle("wrong", wrong);
}

async function load() {
  try {
    const { links } = await (await fetch("/api/links")).json();
    list.replaceChildren(...links.map(row));
    if (links.length === 0) list.append(element("li", "None yet.", { class: "soft" }));
  } catch {
    say("The links cannot be read at the moment.", true);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { url, slug, days } = Object.fromEntries(new FormData(form));
  for (const field of form.elements) field.removeAttribute("aria-invalid");
  try {
    const response = await fetch("/api/links", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ url, slug: slug || undefined, days: Number(days) }),
    });
    const answer = await response.json();
    if (!response.ok) {
      say(answer.error, true);
      form.elements[answer.field]?.setAttribute("aria-invalid", "true");
      form.elements[answer.field]?.focus();
      return;
    }
    form.reset();
    await load();
    say(`${address(answer.slug)} leads there now.`);
  } catch {
    say("That did not get through. Try again.", true);
  }
});

load();
