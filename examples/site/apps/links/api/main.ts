// GET /api/links   the latest links
// POST /api/links  JSON { url, slug?, days? }: one more
// GET /to/SLUG     goes where the link leads

import type { Context, Handler, SQL } from "fazt";

interface Env {
  DB: SQL;
}

interface Link {
  slug: string;
  url: string;
  created: number;
  expires: number;
  hits: number;
}

const DAY = 86_400_000;

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/to/")) return follow(pathname.slice("/to/".length), env, ctx);
    if (pathname !== "/api/links") return problem(404, "There is nothing here.");
    if (request.method === "GET") return latest(env);
    if (request.method === "POST") return shorten(request, env);
    return problem(405, "Read with GET, add with POST.");
  },

  async scheduled(event, env, ctx) {
    const { meta } = await env.DB.prepare("delete from link where expires <= ?").bind(event.scheduledTime).run();
    ctx.log.info(`${meta.changes} links have ended`);
  },
} satisfies Handler<Env>;

async function follow(slug: string, env: Env, ctx: Context): Promise<Response> {
  const url = await env.DB.prepare("select url from link where slug = ? and expires > ?").bind(slug, Date.now()).first<string>("url");
  if (!url) return problem(404, "This link does not exist, or has ended.");
  // The visitor need not wait for the count.
  ctx.waitUntil(env.DB.prepare("update link set hits = hits + 1 where slug = ?").bind(slug).run());
  return new Response(null, { status: 302, headers: { location: url, "cache-control": "no-store", "referrer-policy": "no-referrer" } });
}

async function latest(env: Env): Promise<Response> {
  const { results } = await env.DB.prepare("select slug, url, created, expires, hits from link where expires > ? order by created desc limit 20").bind(Date.now()).all<Link>();
  return Response.json({ links: results }, { headers: { "cache-control": "no-store" } });
}

async function shorten(request: Request, env: Env): Promise<Response> {
  const wanted = await request.json().catch(() => null);
  const url = address(wanted?.url, new URL(request.url).host);
  if (!url) return problem(422, "Give the address of a page on another site, beginning with https:// or http://.", "url");
  const days = Number(wanted.days ?? 30);
  if (!Number.isInteger(days) || days < 1 || days > 365) return problem(422, "A link lasts 1 to 365 days.", "days");
  const slug = wanted.slug || random();
  if (typeof slug !== "string" || !/^[a-z0-9-]{2,40}$/.test(slug)) return problem(422, "A name has 2 to 40 small letters, digits and hyphens.", "slug");

  const now = Date.now();
  const link = await env.DB.prepare("insert into link (slug, url, created, expires) values (?, ?, ?, ?) on conflict do nothing returning *")
    .bind(slug, url, now, now + days * DAY)
    .first<Link>();
  return link ? Response.json(link, { status: 201 }) : problem(409, "That name is taken.", "slug");
}

// address returns an absolute web address, but not one of our own: a link to a
// link could go round in circles.
function address(text: unknown, own: string): string | null {
  if (typeof text !== "string" || text.length > 2000) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && /^https?:$/.test(url.protocol) && url.host !== own && !url.username ? url.href : null;
}

// Ten out of 32 signs without those that are read for one another: guessing one
// of a million links takes a thousand million tries.
function random(): string {
  const signs = "abcdefghijkmnpqrstuvwxyz23456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => signs[byte % signs.length]).join("");
}

function problem(status: number, message: string, field?: string): Response {
  return Response.json({ error: message, field }, { status });
}
