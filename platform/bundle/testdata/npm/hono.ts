import { Hono } from "hono";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { validator } from "hono/validator";

const app = new Hono<{ Bindings: { NAME: string } }>();
app.use("*", cors(), etag());
app.get("/hello/:name", (c) => c.json({ hello: c.req.param("name"), env: c.env?.NAME ?? null }));
app.post("/echo", validator("json", (v, c) => (v.text ? v : c.text("no text", 400))), async (c) => c.json(c.req.valid("json")));
app.onError((err, c) => c.text(err.message, 500));
app.get("/fail", () => { throw new Error("as asked"); });
export default app;
