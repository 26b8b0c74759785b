import { app, env, expect, test } from "fazt:test";

const write = (entry: unknown, headers = {}) =>
  app.fetch("/api/entries", { method: "POST", body: JSON.stringify(entry), headers: { "content-type": "application/json", accept: "application/json", ...headers } });

test("an entry is kept and listed, the newest first", async () => {
  const made = await write({ name: " Ada ", text: "Hello" });
  expect(made.status).toBe(201);
  expect(await made.json()).toMatchObject({ name: "Ada", text: "Hello" });
  await write({ name: "Grace", text: "Hi" });

  const { entries } = await (await app.fetch("/api/entries")).json();
  expect(entries.map((e: { name: string }) => e.name)).toEqual(["Grace", "Ada"]);
});

test("a form leads back to the page", async () => {
  const answer = await app.fetch("/api/entries", { method: "POST", body: new URLSearchParams({ name: "Linus", text: "Hej" }) });
  expect(answer.status).toBe(303);
  expect(answer.headers.get("location")).toBe("/");
});

test("what is empty or comes from another site is refused", async () => {
  expect((await write({ name: "", text: "Hello" })).status).toBe(422);
  expect((await write({ name: "Ada" })).status).toBe(400);
  expect((await write({ name: "Ada", text: "Hello" }, { "sec-fetch-site": "cross-site" })).status).toBe(403);
});

test("one visitor writes so often in an hour and not more", async () => {
  let answer = await write({ name: "Ada", text: "again" });
  for (let i = 0; i < Number(env.PER_HOUR) && answer.status === 201; i++) answer = await write({ name: "Ada", text: "again" });
  expect(answer.status).toBe(429);
  expect(answer.headers.get("retry-after")).toBe("3600");
});

test("the desk is for editors", async () => {
  expect((await app.fetch("/desk/")).status).toBe(401);
  expect((await app.fetch("/desk/", { as: "vic@example.com" })).status).toBe(403);
  expect((await app.fetch("/desk/", { as: { email: "ed@example.com", roles: ["editor"] } })).status).toBe(200);
});

test("the page itself is a file", async () => {
  const page = await app.fetch("/");
  expect(page.status).toBe(200);
  expect(await page.text()).toContain("<h1");
});
