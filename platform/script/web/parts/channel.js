// MessageChannel within one machine: messages are cloned and come in a later turn.
const { EventTarget, MessageEvent, attribute } = web.part("event");
const { cloned } = web.part("clone");
const internal = Symbol();

// later is a turn of its own where the engine has timers.
function later(work) {
  const { setTimeout } = web.global;
  if (typeof setTimeout === "function") setTimeout(work, 0);
  else Promise.resolve().then(work);
}

let entangle;
class MessagePort extends EventTarget {
  #other = null;
  #queue = [];
  #started = false;
  static {
    entangle = (a, b) => {
      a.#other = b;
      b.#other = a;
    };
  }
  constructor(key) {
    if (key !== internal) throw new TypeError("Illegal constructor");
    super();
  }
  postMessage(message, options = undefined) {
    if (arguments.length === 0) throw new TypeError("postMessage needs a message");
    const transfer = Array.isArray(options) ? options : (options?.transfer ?? []);
    const data = cloned(message, transfer);
    if (this.#other === null) return;
    const ports = transfer.filter((o) => o instanceof MessagePort);
    this.#other.#receive(new MessageEvent("message", { data, ports }));
  }
  #receive(event) {
    if (!this.#started) this.#queue.push(event);
    else later(() => { if (this.#started) this.dispatchEvent(event); });
  }
  start() {
    if (this.#started) return;
    this.#started = true;
    for (const event of this.#queue.splice(0)) this.#receive(event);
  }
  close() {
    if (this.#other !== null) this.#other.#other = null;
    this.#other = null;
    this.#started = false;
  }
  get [Symbol.toStringTag]() { return "MessagePort"; }
}
for (const type of ["message", "messageerror"]) attribute(MessagePort.prototype, type);

// Setting onmessage starts a port, adding a listener does not.
const on = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
Object.defineProperty(MessagePort.prototype, "onmessage", {
  ...on,
  set(value) {
    on.set.call(this, value);
    this.start();
  },
});

class MessageChannel {
  #ports = [new MessagePort(internal), new MessagePort(internal)];
  constructor() { entangle(...this.#ports); }
  get port1() { return this.#ports[0]; }
  get port2() { return this.#ports[1]; }
  get [Symbol.toStringTag]() { return "MessageChannel"; }
}

return { MessageChannel, MessagePort };
