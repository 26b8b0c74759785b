// The router of a folder of route files. A route is [file, segments, module];
// a segment is [name, kind]: 0 a text, 1 one part, 2 the rest, 3 the rest or nothing.
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

export function router(routes, main) {
  for (const [file, , module] of routes) {
    if (!METHODS.some((m) => typeof module[m] === "function")) {
      throw new TypeError(`${file} exports none of ${METHODS.join(", ")}`);
    }
  }
  return { ...main, fetch: (request, env, ctx) => answer(routes, main, request, env, ctx) };
}

function answer(routes, main, request, env, ctx) {
  let parts;
  try {
    parts = new URL(request.url).pathname.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return new Response("bad path\n", { status: 400 });
  }
  for (const [, segments, module] of routes) {
    const params = match(segments, parts);
    if (params) return call(module, request, { params, env, ctx });
  }
  if (typeof main?.fetch === "function") return main.fetch(request, env, ctx);
  return new Response("not found\n", { status: 404 });
}

function match(segments, parts) {
  const params = {};
  for (let i = 0; i < segments.length; i++) {
    const [name, kind] = segments[i];
    if (kind >= 2) {
      if (kind === 2 && i >= parts.length) return null;
      params[name] = parts.slice(i);
      return params;
    }
    if (i >= parts.length || (kind === 0 && parts[i] !== name)) return null;
    if (kind === 1) params[name] = parts[i];
  }
  return segments.length === parts.length ? params : null;
}

async function call(module, request, context) {
  const handler = METHODS.includes(request.method) ? module[request.method] : undefined;
  if (handler) return handler(request, context);
  if (request.method === "HEAD" && module.GET) {
    const { status, headers } = await module.GET(request, context);
    return new Response(null, { status, headers });
  }
  const allow = METHODS.filter((m) => module[m] || (m === "HEAD" && module.GET) || m === "OPTIONS").join(", ");
  return new Response(null, { status: request.method === "OPTIONS" ? 204 : 405, headers: { allow } });
}
