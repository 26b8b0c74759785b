// fazt test runs this against the whole app, on data of its own.

import { app, env, expect, test } from "fazt:test";

test("a visit is counted", async () => {
  expect(await (await app.fetch("/api/visits", { method: "POST" })).json()).toEqual({ visits: 1 });
  await app.fetch("/api/visits", { method: "POST" });
  expect(await env.VISITS.get("visits")).toBe("2");
});

test("the page is a file", async () => {
  expect((await app.fetch("/")).status).toBe(200);
  expect((await app.fetch("/api/other")).status).toBe(404);
});
