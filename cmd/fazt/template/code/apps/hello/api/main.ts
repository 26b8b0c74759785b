// POST /api/visits counts a visit and answers how many there were: { visits }

import type { Handler, KV } from "fazt";

interface Env {
  VISITS: KV; // the kv block in app.fazt.hcl
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname !== "/api/visits" || request.method !== "POST") return new Response("There is nothing here.\n", { status: 404 });
    const visits = await env.VISITS.incr("visits");
    console.log("visit", visits); // fazt dev prints it; on a node: fazt app logs hello
    return Response.json({ visits });
  },
} satisfies Handler<Env>;
