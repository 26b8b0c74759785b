import { app, env, expect, test } from "fazt:test";

const offer = (file: unknown) => app.fetch("/api/files", { method: "POST", body: JSON.stringify(file) });

async function drop(name: string, text: string): Promise<string> {
  const { id, upload } = await (await offer({ name, size: text.length, type: "text/plain" })).json();
  const put = await app.fetch(upload, { method: "PUT", body: text, headers: { "content-type": "text/plain" } });
  expect(put.status).toBeLessThan(300);
  return id;
}

test("a file goes up and comes back by its signed address", async () => {
  const id = await drop("note.txt", "hello");
  const shown = await (await app.fetch(`/api/files/${id}`)).json();
  expect(shown).toMatchObject({ name: "note.txt", size: 5 });
  const got = await app.fetch(shown.url);
  expect(await got.text()).toBe("hello");
});

test("a name loses what leads elsewhere", async () => {
  const id = await drop("../../etc/pass<wd>", "x");
  expect((await (await app.fetch(`/api/files/${id}`)).json()).name).toBe("passwd");
});

test("a file that is too large or has no name is refused", async () => {
  expect((await offer({ name: "a", size: Number(env.MAX_BYTES) + 1 })).status).toBe(413);
  expect((await offer({ name: "..", size: -1 })).status).toBe(413);
  expect((await offer({ size: 1 })).status).toBe(422);
});

test("a signed address cannot be used for another file", async () => {
  const { upload } = await (await offer({ name: "a.txt", size: 1 })).json();
  const forged = await app.fetch(upload.replace("a.txt", "b.txt"), { method: "PUT", body: "x" });
  expect(forged.status).toBeGreaterThanOrEqual(400);
});

test("a file is gone once it is deleted, or its time is over", async () => {
  const [one, two] = [await drop("one", "1"), await drop("two", "2")];
  expect((await app.fetch(`/api/files/${one}`, { method: "DELETE" })).status).toBe(204);
  expect((await app.fetch(`/api/files/${one}`)).status).toBe(404);

  await app.cron("clean");
  expect((await app.fetch(`/api/files/${two}`)).status).toBe(200);
  await app.cron("clean", { at: Date.now() + (Number(env.KEEP_DAYS) + 1) * 86_400_000 });
  expect((await app.fetch(`/api/files/${two}`)).status).toBe(404);
});
