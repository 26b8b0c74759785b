// Shows the entries and signs the book without leaving the page. Text of visitors
// becomes text nodes, never markup.

const $ = (id) => document.getElementById(id);
const [form, list, more, status, count] = ["form", "list", "more", "status", "count"].map($);
const dates = new Intl.DateTimeFormat("en", { dateStyle: "long", timeStyle: "short" });
const numbers = new Intl.NumberFormat("en");
let cursor;

function element(tag, text, attributes = {}) {
  const e = document.createElement(tag);
  e.textContent = text;
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  return e;
}

function card({ name, text, at }) {
  const article = element("article", "");
  const head = element("header", "");
  head.append(element("h3", name), element("time", dates.format(at), { datetime: new Date(at).toISOString() }));
  article.append(head, element("p", text));
  return article;
}

async function load() {
  more.disabled = true;
  try {
    const response = await fetch("/api/entries" + (cursor ? `?cursor=${encodeURIComponent(cursor)}` : ""));
    if (!response.ok) throw new Error(`The book does not open (${response.status}).`);
    const page = await response.json();
    if (!cursor && page.entries.length === 0) list.append(element("p", "No entries yet. Yours would be the first.", { class: "soft" }));
    list.append(...page.entries.map(card));
    cursor = page.cursor;
    more.hidden = !cursor;
  } catch (error) {
    say(error.message, true);
  } finally {
    more.disabled = false;
    list.removeAttribute("aria-busy");
  }
}

function say(message, wrong = false) {
  status.textContent = message;
  status.classList.toggle("wrong", wrong);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  for (const field of form.elements) field.removeAttribute("aria-invalid");
  try {
    const response = await fetch(form.action, { method: "POST", headers: { accept: "application/json" }, body: new URLSearchParams(new FormData(form)) });
    const answer = await response.json();
    if (!response.ok) {
      say(answer.error, true);
      form.elements[answer.field]?.setAttribute("aria-invalid", "true");
      form.elements[answer.field]?.focus();
      return;
    }
    list.querySelector(":scope > p")?.remove();
    list.prepend(card(answer));
    form.elements.text.value = "";
    left();
    say("Thank you. It is in the book.");
  } catch {
    say("That did not get through. Your text is still here; try again.", true);
  } finally {
    button.disabled = false;
  }
});

function left() {
  count.textContent = `${numbers.format(1000 - form.elements.text.value.length)} characters left`;
}

form.elements.text.addEventListener("input", left);
more.addEventListener("click", async () => {
  const last = list.lastElementChild;
  await load();
  const next = last?.nextElementSibling;
  next?.setAttribute("tabindex", "-1");
  next?.focus();
});
load();
