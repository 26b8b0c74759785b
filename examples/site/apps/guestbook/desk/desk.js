// Lists the entries with a button to take each out. Only editors get this page, and
// the code behind it asks again: a page is no lock.

const $ = (id) => document.getElementById(id);

function card({ id, name, text }) {
  const article = document.createElement("article");
  const title = document.createElement("h3");
  title.textContent = name;
  const body = document.createElement("p");
  body.textContent = text;
  const button = document.createElement("button");
  button.textContent = "Take out";
  button.className = "quiet";
  button.setAttribute("aria-label", `Take out what ${name} wrote`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    const response = await fetch(`/api/entries/${id}`, { method: "DELETE" });
    $("status").textContent = response.ok ? "It is out of the book." : `That did not work (${response.status}).`;
    if (response.ok) article.remove();
    button.disabled = false;
  });
  article.append(title, body, button);
  return article;
}

const { user } = await (await fetch("/auth/user")).json();
$("who").textContent = user?.name || user?.email || "nobody";
const { entries } = await (await fetch("/api/entries")).json();
$("list").append(...entries.map(card));
if (entries.length === 0) $("status").textContent = "There is nothing in the book.";
$("list").removeAttribute("aria-busy");
