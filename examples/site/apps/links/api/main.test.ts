import { app, env, expect, test } from "fazt:test";

const shorten = (body: unknown) => app.fetch("/api/links", { method: "POST", body: JSON.stringify(body) });

test("a link leads where it should and is counted", async () => {
  const made = await shorten({ url: "https://example.com/a", slug: "docs" });
  expect(made.status).toBe(201);

  const answer = await app.fetch("/to/docs");
  expect(answer.status).toBe(302);
  expect(answer.headers.get("location")).toBe("https://example.com/a");

  const { links } = await (await app.fetch("/api/links")).json();
  expect(links).toMatchObject([{ slug: "docs", url: "https://example.com/a" }]);
});

test("a name that is taken is not given twice", async () => {
  const again = await shorten({ url: "https://example.com/b", slug: "docs" });
  expect(again.status).toBe(409);
  expect(await env.DB.prepare("select url from link where slug = 'docs'").first("url")).toBe("https://example.com/a");
});

test("a name is made up where none is asked for", async () => {
  const made = await shorten({ url: "https://example.com/c" });
  expect((await made.json()).slug).toMatch(/^[a-z2-9]{10}$/);
});

test("what is no address of another site is refused", async () => {
  for (const url of ["javascript:alert(1)", "ftp://example.com", "no address", "https://user@example.com", undefined]) {
    const answer = await shorten({ url });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ field: "url" });
  }
});

test("links end, and the schedule takes them away", async () => {
  await shorten({ url: "https://example.com/short", slug: "brief", days: 1 });
  const before = await env.DB.prepare("select count(*) as n from link").first("n");
  await app.cron("clean", { at: Date.now() + 2 * 86_400_000 });
  expect(await env.DB.prepare("select slug from link where slug = 'brief'").first()).toBeNull();
  expect(await env.DB.prepare("select count(*) as n from link").first("n")).toBe(before - 1);
  expect((await app.fetch("/to/brief")).status).toBe(404);
});
