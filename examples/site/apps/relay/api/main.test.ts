import { app, env, expect, fake, test } from "fazt:test";

async function sign(body: string): Promise<string> {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(env.HOOK_KEY), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const sum = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(body)));
  return "sha256=" + Array.from(sum, (b) => b.toString(16).padStart(2, "0")).join("");
}

const hook = async (body: string, id: string, signature?: string) =>
  app.fetch("/hook/shop", { method: "POST", body, headers: { "content-type": "application/json", "x-delivery-id": id, "x-hub-signature-256": signature ?? (await sign(body)) } });
const deliveries = async () => (await (await app.fetch("/api/deliveries")).json()).deliveries;

test("a signed webhook goes on to its host", async () => {
  const target = fake(env.TARGET, () => new Response("thanks"));
  expect((await hook('{"order":1}', "one")).status).toBe(202);
  expect(await app.deliver("OUT")).toMatchObject([{ state: "done" }]);

  expect(target.requests).toHaveLength(1);
  expect(await target.requests[0].text()).toBe('{"order":1}');
  expect(target.requests[0].headers.get("x-hook")).toBe("shop");
  expect(target.requests[0].headers.get("user-agent")).toBe("relay");
  expect(await deliveries()).toMatchObject([{ id: "one", state: "delivered", attempts: 1 }]);
});

test("what comes twice is taken once", async () => {
  expect(await (await hook('{"order":1}', "one")).json()).toEqual({ id: "one", known: true });
  expect(await app.deliver("OUT")).toEqual([]);
});

test("a wrong signature is refused", async () => {
  expect((await hook("{}", "two", await sign("{ }"))).status).toBe(401);
  expect((await hook("{}", "two", "")).status).toBe(401);
});

test("what the host refuses is sent again later", async () => {
  let answers = [500, 200];
  const target = fake(env.TARGET, () => new Response(null, { status: answers.shift() }));
  await hook("{}", "three");
  expect(await app.deliver("OUT")).toMatchObject([{ state: "delayed" }]);
  expect((await deliveries())[0]).toMatchObject({ state: "failed", note: "answered 500" });
  expect(await app.deliver("OUT")).toEqual([]);

  expect(await app.deliver("OUT", { delayed: true })).toMatchObject([{ state: "done" }]);
  expect(target.requests).toHaveLength(2);
  expect((await deliveries())[0]).toMatchObject({ state: "delivered", attempts: 2 });
});

test("the log forgets after a week", async () => {
  await app.cron("forget", { at: Date.now() + 8 * 86_400_000 });
  expect(await deliveries()).toEqual([]);
});
