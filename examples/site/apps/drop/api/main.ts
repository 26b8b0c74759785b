// GET /api/rules      what may be dropped: { days, max }
// POST /api/files     JSON { name, size, type }: { id, upload } - PUT the bytes to upload
// GET /api/files/ID   { name, size, type, until, url } - GET the bytes from url
// DELETE /api/files/ID

import type { BlobInfo, Blobs, Handler } from "fazt";

interface Env {
  FILES: Blobs;
  KEEP_DAYS: string;
  MAX_BYTES: string;
}

const DAY = 86_400_000;
const UPLOAD_SECONDS = 900;
const DOWNLOAD_SECONDS = 600;

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const id = /^\/api\/files\/([0-9a-f]{32})$/.exec(pathname)?.[1];
    switch (`${request.method} ${id ? "/api/files/ID" : pathname}`) {
      case "GET /api/rules":
        return Response.json({ days: Number(env.KEEP_DAYS), max: Number(env.MAX_BYTES) });
      case "POST /api/files":
        return offer(request, env);
      case "GET /api/files/ID":
        return show(id!, env);
      case "DELETE /api/files/ID":
        return remove(id!, env);
      default:
        return problem(404, "There is nothing here.");
    }
  },

  // Files are removed by their age; the store lists them a thousand at a time.
  async scheduled(event, env, ctx) {
    const before = event.scheduledTime - Number(env.KEEP_DAYS) * DAY;
    let cursor: string | undefined;
    let removed = 0;
    do {
      const page = await env.FILES.list({ cursor });
      const old = page.objects.filter((o) => o.uploaded.getTime() < before || o.size > Number(env.MAX_BYTES)).map((o) => o.key);
      if (old.length > 0) await env.FILES.delete(old);
      removed += old.length;
      cursor = page.cursor;
    } while (cursor);
    ctx.log.info(`removed ${removed} files`);
  },
} satisfies Handler<Env>;

// offer gives out an address to upload to. Whoever knows the id has the file:
// 128 random bits are not guessed.
async function offer(request: Request, env: Env): Promise<Response> {
  const file = await request.json().catch(() => null);
  const name = clean(file?.name);
  if (!name) return problem(422, "The file has no name.");
  if (!Number.isSafeInteger(file.size) || file.size < 0 || file.size > Number(env.MAX_BYTES)) return problem(413, "The file is too large.");
  const id = crypto.randomUUID().replaceAll("-", "");
  const upload = await env.FILES.signedUrl(`${id}/${name}`, { method: "PUT", expires: UPLOAD_SECONDS });
  return Response.json({ id, upload }, { status: 201 });
}

async function show(id: string, env: Env): Promise<Response> {
  const file = await find(id, env);
  if (!file) return problem(404, "This file does not exist, or its time is over.");
  return Response.json({
    name: file.key.slice(id.length + 1),
    size: file.size,
    type: file.httpMetadata.contentType ?? "",
    until: file.uploaded.getTime() + Number(env.KEEP_DAYS) * DAY,
    url: await env.FILES.signedUrl(file.key, { expires: DOWNLOAD_SECONDS }),
  }, { headers: { "cache-control": "no-store" } });
}

async function remove(id: string, env: Env): Promise<Response> {
  const file = await find(id, env);
  if (file) await env.FILES.delete(file.key);
  return new Response(null, { status: 204 });
}

async function find(id: string, env: Env): Promise<BlobInfo | undefined> {
  return (await env.FILES.list({ prefix: `${id}/`, limit: 1 })).objects[0];
}

// clean keeps what a name may be everywhere: no path, nothing unprintable.
function clean(name: unknown): string {
  if (typeof name !== "string") return "";
  return name.normalize("NFC").replace(/^.*[/\\]/, "").replace(/[\p{C}:*?"<>|]/gu, "").trim().slice(-120);
}

function problem(status: number, message: string): Response {
  return Response.json({ error: message }, { status });
}
