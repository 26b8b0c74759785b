// Passkeys: the device signs, and this script carries what is said between it and the
// gate. Without it, or without a device, the other ways to sign in are there.
const button = document.getElementById("passkey");
const say = document.getElementById("passkey-status");

async function post(step, body) {
  const response = await fetch("/auth/passkey/" + step, { method: "POST", headers: { "content-type": "application/json", accept: "application/json" }, body: JSON.stringify(body) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error?.message ?? `That did not work (${response.status}).`);
  return answer;
}

async function make() {
  const { options, memory } = await post("new", {});
  const key = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  return post("add", { memory, key: key.toJSON(), name: document.getElementById("passkey-name").value });
}

async function use() {
  const { options, memory } = await post("ask", {});
  const key = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return post("use", { memory, key: key.toJSON(), journey: button.dataset.journey });
}

if (button !== null && globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON !== undefined) {
  for (const part of document.querySelectorAll("[data-passkey]")) part.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    say.textContent = "";
    try {
      const { to } = await (button.dataset.step === "make" ? make() : use());
      location.assign(to);
    } catch (error) {
      say.textContent = error.name === "NotAllowedError" ? "Nothing was chosen." : error.message;
      button.disabled = false;
    }
  });
}
