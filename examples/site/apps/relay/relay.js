// Shows what has gone through, and asks again every few seconds while the page is seen.

const $ = (id) => document.getElementById(id);
const list = $("list");
const times = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const words = { waiting: "Waiting", delivered: "Delivered", failed: "Will be tried again" };
let shown = "";

function element(tag, text, attributes = {}) {
  const e = document.createElement(tag);
  e.textContent = text;
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  return e;
}

function row(d) {
  const item = element("li", "", { class: d.state });
  const tries = d.attempts > 1 ? `, ${d.attempts} tries` : "";
  item.append(
    element("strong", words[d.state] ?? d.state),
    element("span", `${d.hook}, ${d.size.toLocaleString("en")} bytes${tries}`),
    element("time", times.format(d.at), { datetime: new Date(d.at).toISOString(), class: "soft" }),
  );
  if (d.note) item.append(element("span", d.note, { class: "note" }));
  return item;
}

function say(message, wrong = false) {
  $("status").textContent = message;
  $("status").classList.toggle("wrong", wrong);
}

async function load() {
  try {
    const response = await fetch("/api/deliveries");
    const text = await response.text();
    if (!response.ok) throw new Error();
    if (text === shown) return; // nothing to read out anew
    shown = text;
    const { target, deliveries } = JSON.parse(text);
    $("target").textContent = target;
    list.replaceChildren(...deliveries.map(row));
    if (deliveries.length === 0) list.append(element("li", "Nothing has come in yet.", { class: "soft" }));
  } catch {
    say("The deliveries cannot be read at the moment.", true);
  }
}

$("refresh").addEventListener("click", async () => {
  await load();
  say(`As of ${new Date().toLocaleTimeString("en")}.`);
});

$("test").addEventListener("click", async () => {
  const response = await fetch("/api/test", { method: "POST" }).catch(() => null);
  say(response?.ok ? "A test is on its way." : "The test was not taken.", !response?.ok);
  await load();
});

setInterval(() => document.hidden || load(), 5000);
load();
