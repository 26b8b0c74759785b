// What is sent elsewhere: jobs, and requests to other apps and to the files of the
// release.

const QUEUE_SEND = ["delaySeconds", "uniqueKey", "priority", "contentType"];

function message(what, body, o) {
  const set = options(what, o, QUEUE_SEND);
  if (set.contentType !== undefined && set.contentType !== "json" && set.contentType !== "text") refuse(`${what}: contentType`, `must be json or text, not ${show(set.contentType)}`);
  if (set.contentType === "text") text(`${what}: body`, body);
  return {
    body: json(`${what}: body`, body), delay: perhaps(`${what}: delaySeconds`, set.delaySeconds, 0), priority: perhaps(`${what}: priority`, set.priority, -100, 100),
    unique: set.uniqueKey === undefined ? undefined : text(`${what}: uniqueKey`, set.uniqueKey),
  };
}

class Queue {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  async send(body, o) {
    return (await this.#port.send("send", { messages: [message(`${this.#port.name}.send`, body, o)] })).value.ids[0];
  }
  async sendBatch(messages, o) {
    const what = `${this.#port.name}.sendBatch`;
    const all = options(what, o, ["delaySeconds"]);
    if (messages === null || typeof messages?.[Symbol.iterator] !== "function") refuse(`${what}: messages`, `must be iterable, not ${show(messages)}`);
    const list = Array.from(messages, (m, i) => {
      if (!isRecord(m)) refuse(`${what}: messages[${i}]`, `must be an object with a body, not ${show(m)}`);
      const { body, ...rest } = m;
      return message(`${what}: messages[${i}]`, body, { ...all, ...rest });
    });
    return (await this.#port.send("send", { messages: list })).value.ids;
  }
}

class Fetcher {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  async fetch(input, init) {
    const r = new Request(typeof input === "string" && input[0] === "/" ? `http://${HERE}${input}` : input instanceof URL ? input.href : input, init);
    r.signal.throwIfAborted();
    const args = { url: r.url, method: r.method, headers: [...r.headers], redirect: r.redirect };
    const { value, body } = await this.#port.send("fetch", args, r.body, r.signal);
    const answer = new Response(NO_BODY.includes(value.status) ? null : body, { status: value.status, headers: value.headers });
    return Object.defineProperty(answer, "url", { value: value.url ?? r.url });
  }
}

const HERE = "app.internal"; // for those who ask a binding for a path alone
const NO_BODY = [101, 204, 205, 304];

fix(Queue, Fetcher);

export const queue = factory(Queue);
export const service = factory(Fetcher);
export const assets = factory(Fetcher);
