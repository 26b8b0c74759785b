// Sends what the form says and shows what comes back.

const $ = (id) => document.getElementById(id);
const form = $("form");
let last = "";

for (const button of document.querySelectorAll("button[data-path]")) {
  button.addEventListener("click", () => {
    const { method, path, body } = button.dataset;
    $("method").value = method;
    $("path").value = path.replace("ID", last || "ID");
    $("body").value = body ?? "";
    $("path").focus();
    $("path").scrollIntoView({ block: "center" });
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { method, path, body } = Object.fromEntries(new FormData(form));
  const sends = body.trim() !== "" && method !== "GET" && method !== "DELETE";
  $("status").textContent = "Asking…";
  const began = performance.now();
  try {
    const response = await fetch(path, { method, headers: sends ? { "content-type": "application/json" } : {}, body: sends ? body : undefined });
    const text = await response.text();
    const tag = response.headers.get("etag");
    $("status").textContent = `${response.status} in ${Math.round(performance.now() - began)} ms${tag ? `, ETag ${tag}` : ""}`;
    show(text);
  } catch {
    $("status").textContent = "There was no answer.";
    $("answer").hidden = true;
  }
});

function show(text) {
  let shown = text;
  try {
    const json = JSON.parse(text);
    last = json.id ?? json.books?.[0]?.id ?? last;
    shown = JSON.stringify(json, null, 2);
  } catch {
    // It is text, then.
  }
  $("answer").textContent = shown;
  $("answer").hidden = shown === "";
}
