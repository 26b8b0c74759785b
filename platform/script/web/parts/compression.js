// CompressionStream and DecompressionStream over Go's compressors.
const { call } = web.part("exception");
const { base64, unbase64, view } = web.part("encoding");

// What is forgotten half-way is closed when the engine collects it.
const forgotten = new FinalizationRegistry((id) => web.call("zip.close", id));

function pair(format, inflate) {
  format = `${format}`;
  if (format !== "gzip" && format !== "deflate" && format !== "deflate-raw") throw new TypeError(`there is no format ${JSON.stringify(format.slice(0, 100))}`);
  const id = call("zip.open", format, inflate);
  const give = (controller, got) => { if (got !== "") controller.enqueue(unbase64(got)); };
  const guarded = (work) => {
    try {
      work();
    } catch (error) {
      web.call("zip.close", id);
      throw error;
    }
  };
  function empty(controller) {
    for (let got; (got = call("zip.pull", id)) !== ""; ) give(controller, got);
  }
  const transform = new (web.part("streams").TransformStream)({
    transform: (chunk, controller) =>
      guarded(() => {
        const bytes = view(chunk, "the chunk");
        give(controller, call("zip.push", id, base64(bytes)));
        if (inflate) empty(controller);
      }),
    flush: (controller) => guarded(() => give(controller, call("zip.end", id))),
    cancel: () => { web.call("zip.close", id); },
  });
  forgotten.register(transform, id);
  return transform;
}

class CompressionStream {
  #transform;
  constructor(format) {
    if (arguments.length === 0) throw new TypeError("CompressionStream needs a format");
    this.#transform = pair(format, false);
  }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
  get [Symbol.toStringTag]() { return "CompressionStream"; }
}

class DecompressionStream {
  #transform;
  constructor(format) {
    if (arguments.length === 0) throw new TypeError("DecompressionStream needs a format");
    this.#transform = pair(format, true);
  }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
  get [Symbol.toStringTag]() { return "DecompressionStream"; }
}

return { CompressionStream, DecompressionStream };
