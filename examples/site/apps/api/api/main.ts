// GET /v1/books            ?shelf= &limit= &cursor=   { books, cursor? }
// POST /v1/books           a book                     201
// GET /v1/books/:id
// PATCH /v1/books/:id      parts of a book; If-Match holds it to a version
// DELETE /v1/books/:id                                204
// GET /v1/health

import type { Collection, Doc, Docs } from "fazt";
import { Hono, type Context } from "hono";
import * as z from "zod";

type Env = { Bindings: { BOOKS: Docs } };

const Parts = z.object({
  title: z.string().trim().min(1).max(200),
  author: z.string().trim().min(1).max(200),
  shelf: z.enum(["to read", "reading", "read"]),
  rating: z.int().min(1).max(5).nullable(),
});
const Book = Parts.extend({ shelf: Parts.shape.shelf.default("to read"), rating: Parts.shape.rating.default(null) }).strict();
const Changes = Parts.partial().strict();
const Page = z.object({
  shelf: Parts.shape.shelf.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().optional(),
});

type Book = z.infer<typeof Book>;

const app = new Hono<Env>().basePath("/v1");

app.get("/health", (c) => c.text("ok"));

app.get("/books", async (c) => {
  const { shelf, limit, cursor } = Page.parse(c.req.query());
  const filter = shelf ? { shelf } : { title: { $gt: "" } };
  const page = await books(c).find(filter, { sort: "title", limit, cursor }).page();
  return c.json({ books: page.docs.map(shown), cursor: page.cursor });
});

app.post("/books", async (c) => {
  const book = Book.parse(await c.req.json());
  const meta = await books(c).insert(book);
  return tagged(c, { ...book, ...meta }, 201);
});

app.get("/books/:id", async (c) => {
  const book = await books(c).get(c.req.param("id"));
  return book ? tagged(c, book) : c.notFound();
});

app.patch("/books/:id", async (c) => {
  const id = c.req.param("id");
  const changes = Changes.parse(await c.req.json());
  const version = c.req.header("if-match")?.replaceAll('"', "");
  await books(c).update(id, { $set: changes }, version ? { ifVersion: Number(version) } : {});
  const book = await books(c).get(id);
  return book ? tagged(c, book) : c.notFound();
});

app.delete("/books/:id", async (c) => {
  await books(c).remove(c.req.param("id"));
  return c.body(null, 204);
});

app.notFound((c) => c.json({ error: "there is nothing here" }, 404));

// What the schema refuses is the caller's, and so is what the store refuses with a
// code; anything else is ours and stays in the log.
app.onError((error, c) => {
  if (error instanceof z.ZodError) {
    return c.json({ error: "the request is not as it must be", fields: error.issues.map((i) => ({ at: i.path.join("."), message: i.message })) }, 422);
  }
  if (error instanceof SyntaxError) return c.json({ error: "the body is no JSON" }, 400);
  switch ((error as { code?: string }).code) {
    case "not_found":
      return c.json({ error: "there is no such book" }, 404);
    case "conflict":
      return c.json({ error: "the book has changed meanwhile: read it again" }, 412);
    case "invalid":
      return c.json({ error: error.message }, 400);
  }
  console.error(error);
  return c.json({ error: "something went wrong" }, 500);
});

const books = (c: Context<Env>): Collection<Book> => c.env.BOOKS.collection<Book>("books");

function shown({ _id, _version, _created, _updated, ...book }: Doc<Book>) {
  return { id: _id, ...book, updated: new Date(_updated).toISOString() };
}

function tagged(c: Context<Env>, book: Doc<Book>, status: 200 | 201 = 200) {
  return c.json(shown(book), status, { etag: `"${book._version}"` });
}

export default app;
