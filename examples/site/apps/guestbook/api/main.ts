// GET /api/entries   a page of entries, newest first: { entries, cursor? }
// POST /api/entries  a form or JSON with name and text: one more entry
// DELETE /api/entries/ID  takes one out; editors alone

import type { Context, Doc, Docs, Handler, KV } from "fazt";

interface Env {
  BOOK: Docs;
  VISITORS: KV;
  PER_HOUR: string;
}

interface Entry {
  name: string;
  text: string;
  at: number;
}

const PAGE = 20;

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const id = pathname.match(/^\/api\/entries\/([\w-]+)$/)?.[1];
    if (id && request.method === "DELETE") {
      const editor = await ctx.auth.require("editor");
      ctx.log.info(`${editor.email} takes ${id} out`);
      return (await entries(env).remove({ _id: id })) > 0 ? new Response(null, { status: 204 }) : problem(404, "There is no such entry.");
    }
    if (pathname !== "/api/entries") return problem(404, "There is nothing here.");
    switch (request.method) {
      case "GET":
        return list(env, searchParams.get("cursor") ?? undefined);
      case "POST":
        return write(request, env, ctx);
      default:
        return problem(405, "Read with GET, write with POST.", { allow: "GET, POST" });
    }
  },
} satisfies Handler<Env>;

async function list(env: Env, cursor?: string): Promise<Response> {
  const found = entries(env).find({ at: { $gt: 0 } }, { sort: "-at", limit: PAGE, cursor });
  const page = await found.page();
  return Response.json({ entries: page.docs.map(shown), cursor: page.cursor }, { headers: { "cache-control": "no-store" } });
}

async function write(request: Request, env: Env, ctx: Context): Promise<Response> {
  // A form of another site would write in the name of whoever looks at it.
  if (request.headers.get("sec-fetch-site") === "cross-site") return problem(403, "Please write on the guestbook's own page.");
  const form = await read(request);
  if (!form) return problem(400, "Send a form or JSON with a name and a text.");
  const [name, text] = [form.name.trim(), form.text.trim()];
  if (!name || name.length > 60) return problem(422, "A name has 1 to 60 characters.", {}, "name");
  if (!text || text.length > 1000) return problem(422, "A message has 1 to 1,000 characters.", {}, "text");

  const now = Date.now();
  const hour = Math.floor(now / 3_600_000);
  const written = await env.VISITORS.incr(`${ctx.ip}/${hour}`, 1, { expirationTtl: 7200 });
  if (written > Number(env.PER_HOUR)) return problem(429, "That is enough for this hour. Thank you!", { "retry-after": "3600" });

  const entry: Entry = { name, text, at: now };
  const meta = await entries(env).insert(entry);
  if (!wantsJSON(request)) return new Response(null, { status: 303, headers: { location: "/" } });
  return Response.json(shown({ ...entry, ...meta }), { status: 201 });
}

async function read(request: Request): Promise<{ name: string; text: string } | null> {
  try {
    const json = request.headers.get("content-type")?.startsWith("application/json");
    const form = json ? await request.json() : Object.fromEntries(await request.formData());
    return typeof form?.name === "string" && typeof form.text === "string" ? form : null;
  } catch {
    return null;
  }
}

const entries = (env: Env) => env.BOOK.collection<Entry>("entries");
const shown = (d: Doc<Entry>) => ({ id: d._id, name: d.name, text: d.text, at: d.at });
const wantsJSON = (request: Request) => request.headers.get("accept")?.includes("application/json") ?? false;

function problem(status: number, message: string, headers: Record<string, string> = {}, field?: string): Response {
  return Response.json({ error: message, field }, { status, headers });
}
