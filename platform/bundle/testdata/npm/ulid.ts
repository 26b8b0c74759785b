import { decodeTime, monotonicFactory, ulid } from "ulid";

const next = monotonicFactory();
export default {
  fetch() {
    const [a, b] = [next(1700000000000), next(1700000000000)];
    return Response.json({ id: ulid(), sorted: a < b, at: decodeTime(a) });
  },
};
