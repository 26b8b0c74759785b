import { marked } from "marked";

export default { fetch: async (request: Request) => new Response(await marked.parse(await request.text(), { gfm: true }), { headers: { "content-type": "text/html; charset=utf-8" } }) };
