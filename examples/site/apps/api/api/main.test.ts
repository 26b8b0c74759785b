import { app, beforeEach, describe, env, expect, test } from "fazt:test";

const send = (method: string, path: string, body: unknown, headers = {}) =>
  app.fetch(path, { method, body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } });
const add = async (book: unknown) => (await send("POST", "/v1/books", book)).json();

beforeEach(async () => {
  await env.BOOKS.collection("books").remove({ title: { $gt: "" } });
});

test("the app is well", async () => {
  expect((await app.fetch("/v1/health")).status).toBe(200);
});

test("a book is kept, read and removed", async () => {
  const made = await send("POST", "/v1/books", { title: " Emma ", author: "Jane Austen" });
  expect(made.status).toBe(201);
  const book = await made.json();
  expect(book).toMatchObject({ title: "Emma", shelf: "to read", rating: null });

  expect(await (await app.fetch(`/v1/books/${book.id}`)).json()).toEqual(book);
  expect((await app.fetch(`/v1/books/${book.id}`, { method: "DELETE" })).status).toBe(204);
  expect((await app.fetch(`/v1/books/${book.id}`)).status).toBe(404);
});

test("books come by title, a page at a time", async () => {
  for (const title of ["C", "A", "B"]) await add({ title, author: "X", shelf: "read" });
  const first = await (await app.fetch("/v1/books?limit=2")).json();
  expect(first.books.map((b: { title: string }) => b.title)).toEqual(["A", "B"]);
  const second = await (await app.fetch(`/v1/books?limit=2&cursor=${encodeURIComponent(first.cursor)}`)).json();
  expect(second.books).toHaveLength(1);
  expect((await (await app.fetch("/v1/books?shelf=reading")).json()).books).toEqual([]);
});

describe("what the schema refuses", () => {
  test("is answered with its place", async () => {
    const answer = await send("POST", "/v1/books", { title: "", author: "X" });
    expect(answer.status).toBe(422);
    expect((await answer.json()).fields[0]).toMatchObject({ at: "title" });
  });

  test("is no JSON", async () => {
    expect((await app.fetch("/v1/books", { method: "POST", body: "{" })).status).toBe(400);
  });
});

test("a change that was made of an old version is refused", async () => {
  const book = await add({ title: "Emma", author: "Jane Austen" });
  const path = `/v1/books/${book.id}`;
  const tag = (await app.fetch(path)).headers.get("etag") ?? "";
  expect((await send("PATCH", path, { rating: 5 }, { "if-match": tag })).status).toBe(200);
  expect((await send("PATCH", path, { rating: 1 }, { "if-match": tag })).status).toBe(412);
  expect(await (await app.fetch(path)).json()).toMatchObject({ rating: 5 });
});
