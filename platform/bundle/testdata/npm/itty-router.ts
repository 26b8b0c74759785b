import { AutoRouter, cors, error, withParams } from "itty-router";

const { preflight, corsify } = cors({ origin: "https://a.test" });
const router = AutoRouter({ before: [preflight, withParams], finally: [corsify] });
router
  .get("/hello/:name", ({ name }) => ({ hello: name }))
  .get("/fail", () => error(409, "as asked"))
  .post("/echo", async (request) => ({ text: (await request.json()).text }));

export default { fetch: (request: Request) => router.fetch(request) };
