// POST /hook/NAME       a webhook, signed: X-Hub-Signature-256: sha256=HMAC of the body
// GET /api/deliveries   the latest ones: { deliveries }
// POST /api/test        makes one

import type { Batch, Docs, Handler, Message, Queue } from "fazt";

interface Env {
  OUT: Queue<Hook>;
  LOG: Docs;
  TARGET: string;
  HOOK_KEY: string;
}

interface Hook {
  id: string;
  hook: string;
  type: string;
  body: string;
}

interface Delivery {
  hook: string;
  at: number;
  size: number;
  state: "waiting" | "delivered" | "failed";
  attempts: number;
  note: string;
}

const MAX_BYTES = 256 * 1024;
const KEEP = 7 * 86_400_000;

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const hook = /^\/hook\/([a-z0-9-]{1,40})$/.exec(pathname)?.[1];
    switch (`${request.method} ${hook ? "/hook/NAME" : pathname}`) {
      case "POST /hook/NAME":
        return receive(request, hook!, env);
      case "GET /api/deliveries":
        return latest(env);
      case "POST /api/test":
        if (request.headers.get("sec-fetch-site") === "cross-site") return problem(403, "Please test from the relay's own page.");
        return accept(env, { id: crypto.randomUUID(), hook: "test", type: "application/json", body: JSON.stringify({ hello: "from the relay", at: new Date() }) });
      default:
        return problem(404, "There is nothing here.");
    }
  },

  async queue(batch: Batch<Hook>, env) {
    await Promise.all(batch.messages.map((message) => deliver(message, env)));
  },

  async scheduled(event, env) {
    const old = { at: { $lt: event.scheduledTime - KEEP } };
    while ((await log(env).remove(old)) > 0);
  },
} satisfies Handler<Env>;

async function receive(request: Request, hook: string, env: Env): Promise<Response> {
  const body = await request.text();
  if (body.length > MAX_BYTES) return problem(413, "A webhook has 256 KiB at most.");
  if (!(await signed(body, request.headers.get("x-hub-signature-256") ?? "", env.HOOK_KEY))) return problem(401, "The signature is not ours.");
  // Whoever sends one again, as they do when our answer is lost, names it alike.
  const id = request.headers.get("x-delivery-id") ?? request.headers.get("x-github-delivery") ?? crypto.randomUUID();
  if (!/^[\w-]{1,80}$/.test(id)) return problem(400, "The id of the delivery has other signs than letters, digits, _ and -.");
  return accept(env, { id, hook, type: request.headers.get("content-type") ?? "application/octet-stream", body });
}

// accept answers once the queue has it: from then on it cannot be lost.
async function accept(env: Env, hook: Hook): Promise<Response> {
  if (await log(env).get(hook.id)) return Response.json({ id: hook.id, known: true }, { status: 202 });
  await env.OUT.send(hook, { uniqueKey: hook.id });
  const delivery: Delivery = { hook: hook.hook, at: Date.now(), size: hook.body.length, state: "waiting", attempts: 0, note: "" };
  await log(env).insert({ _id: hook.id, ...delivery }).catch(onlyConflict);
  return Response.json({ id: hook.id }, { status: 202 });
}

// deliver forwards one message. What fails comes again, later each time.
async function deliver(message: Message<Hook>, env: Env): Promise<void> {
  const { id, hook, type, body } = message.body;
  let note = "";
  try {
    const answer = await fetch(env.TARGET, {
      method: "POST",
      headers: { "content-type": type, "x-delivery-id": id, "x-hook": hook },
      body,
      signal: AbortSignal.timeout(10_000),
    });
    await answer.body?.cancel();
    if (!answer.ok) note = `answered ${answer.status}`;
  } catch (error) {
    note = error instanceof Error ? error.message : String(error);
  }
  const state = note ? "failed" : "delivered";
  if (note) message.retry();
  else message.ack();
  await log(env).update(id, { $set: { state, note: note.slice(0, 200), attempts: message.attempts } }).catch(onlyMissing);
}

async function signed(body: string, signature: string, key: string): Promise<boolean> {
  const hex = /^sha256=([0-9a-f]{64})$/.exec(signature)?.[1];
  if (!hex) return false;
  const bytes = Uint8Array.from(hex.match(/../g)!, (byte) => parseInt(byte, 16));
  const text = new TextEncoder();
  const secret = await crypto.subtle.importKey("raw", text.encode(key), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  return crypto.subtle.verify("HMAC", secret, bytes, text.encode(body)); // takes as long for a wrong one
}

async function latest(env: Env): Promise<Response> {
  const found = await log(env).find({ at: { $gt: 0 } }, { sort: "-at", limit: 50 }).toArray();
  const deliveries = found.map(({ _id, hook, at, size, state, attempts, note }) => ({ id: _id, hook, at, size, state, attempts, note }));
  return Response.json({ target: new URL(env.TARGET).host, deliveries }, { headers: { "cache-control": "no-store" } });
}

const log = (env: Env) => env.LOG.collection<Delivery>("deliveries");

// The log follows the queue and never stops it.
function onlyConflict(error: { code?: string }): void {
  if (error.code !== "conflict") throw error;
}
function onlyMissing(error: { code?: string }): void {
  if (error.code !== "not_found") throw error;
}

function problem(status: number, message: string): Response {
  return Response.json({ error: message }, { status });
}
