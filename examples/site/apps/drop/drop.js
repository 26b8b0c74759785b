// Without an id in the address this page takes a file; with one it hands it out.

const $ = (id) => document.getElementById(id);
const id = new URLSearchParams(location.search).get("f");
const status = $("status");

function say(message, wrong = false) {
  status.textContent = message;
  status.classList.toggle("wrong", wrong);
}

function size(bytes) {
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toLocaleString("en", { maximumFractionDigits: power ? 1 : 0 })} ${["bytes", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

async function ask(path, init) {
  const response = await fetch(path, init);
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// send shows its progress, which fetch cannot yet.
function send(url, file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    if (file.type) request.setRequestHeader("content-type", file.type);
    request.upload.addEventListener("progress", (e) => {
      if (e.lengthComputable) $("progress").value = (100 * e.loaded) / e.total;
    });
    request.addEventListener("load", () => (request.status < 300 ? resolve() : reject(new Error(`The store refused it (${request.status}).`))));
    request.addEventListener("error", () => reject(new Error("The connection broke.")));
    request.addEventListener("abort", () => reject(new Error("Stopped.")));
    $("cancel").onclick = () => request.abort();
    request.send(file);
  });
}

async function give(file) {
  $("zone").hidden = $("done").hidden = true;
  $("work").hidden = false;
  $("what").textContent = `${file.name}, ${size(file.size)}`;
  $("progress").value = 0;
  say("Sending…");
  try {
    const { id, upload } = await ask("/api/files", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: file.name, size: file.size, type: file.type }),
    });
    await send(upload, file);
    $("link").value = `${location.origin}/?f=${id}`;
    $("done").hidden = false;
    $("link").focus();
    $("link").select();
    say(`${file.name} is there.`);
  } catch (error) {
    say(error.message, true);
  } finally {
    $("work").hidden = true;
    $("zone").hidden = false;
    $("file").value = "";
  }
}

async function take() {
  try {
    const file = await ask(`/api/files/${id}`);
    document.title = `${file.name} – File drop`;
    $("name").textContent = file.name;
    $("facts").textContent = `${size(file.size)}, until ${new Date(file.until).toLocaleDateString("en", { dateStyle: "long" })}`;
    $("download").href = file.url;
    $("download").download = file.name;
    $("take").hidden = false;
  } catch (error) {
    say(error.message, true);
  }
}

async function remove() {
  if (!confirm("Remove the file for everybody who has the link?")) return;
  try {
    await ask(`/api/files/${id}`, { method: "DELETE" });
    $("take").hidden = true;
    say("The file is gone.");
  } catch (error) {
    say(error.message, true);
  }
}

async function rules() {
  const { days, max } = await ask("/api/rules");
  $("rules").textContent = `It may have ${size(max)} and ends after ${days} days.`;
}

if (id) {
  $("remove").addEventListener("click", remove);
  take();
} else {
  $("give").hidden = false;
  rules().catch(() => {});
  $("file").addEventListener("change", (e) => e.target.files[0] && give(e.target.files[0]));
  $("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText($("link").value);
    say("The link is on the clipboard.");
  });
  const zone = $("zone");
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (e) => {
      e.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (e) => {
    e.preventDefault();
    zone.classList.remove("over");
    if (e.dataTransfer.files[0]) give(e.dataTransfer.files[0]);
  });
}
