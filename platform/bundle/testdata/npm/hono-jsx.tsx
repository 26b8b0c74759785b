/** @jsxImportSource hono/jsx */
import { Hono } from "hono";
import type { FC } from "hono/jsx";

const Page: FC<{ title: string }> = ({ title, children }) => <html><head><title>{title}</title></head><body>{children}</body></html>;
const app = new Hono();
app.get("/*", (c) => c.html(<Page title={"a & b"}><p class="x">{[1, 2].map((n) => <b>{n}</b>)}</p></Page>));
export default app;
