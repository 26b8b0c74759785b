import * as v from "valibot";

const Note = v.object({
  title: v.pipe(v.string(), v.minLength(1)),
  tags: v.optional(v.array(v.string()), []),
  mail: v.pipe(v.string(), v.email()),
});

export default {
  async fetch(request: Request) {
    const read = v.safeParse(Note, await request.json());
    if (read.success) return Response.json(read.output);
    return Response.json({ errors: v.flatten<typeof Note>(read.issues).nested }, { status: 400 });
  },
};
