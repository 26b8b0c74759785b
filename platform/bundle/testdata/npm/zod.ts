import { z } from "zod";

const Note = z.object({ title: z.string().min(1).max(20), tags: z.array(z.string()).default([]), at: z.coerce.date().optional(), mail: z.email().optional() });
export default {
  async fetch(request: Request) {
    const r = Note.safeParse(await request.json());
    return r.success ? Response.json(r.data) : Response.json({ errors: z.flattenError(r.error).fieldErrors }, { status: 400 });
  },
};
