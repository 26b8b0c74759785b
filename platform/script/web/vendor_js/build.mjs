// Builds the vendored libraries to one file each: `npm ci && node build.mjs`.
// The built files and the licences are committed, node_modules is not.
import { build } from "esbuild";
import { copyFile, readFile, writeFile } from "node:fs/promises";

// name of the part or shim → the package and what of it is wanted
const parts = {
  streams: { from: "web-streams-polyfill", licence: "LICENSE" },
  urlpattern: { from: "urlpattern-polyfill/urlpattern", package: "urlpattern-polyfill", licence: "LICENSE" },
};
// The package reads what is URL-safe as base64 and does not know the name of it.
const base64url = `
  const known = (encoding) => (/^base64url$/i.test(encoding) ? "base64" : encoding);
  for (const [on, names] of [[Buffer, ["from", "alloc", "byteLength", "isEncoding"]], [Buffer.prototype, ["write", "fill", "indexOf", "lastIndexOf", "includes"]]])
    for (const name of names) {
      const plain = on[name];
      on[name] = { [name](...args) { return plain.apply(this, name === "isEncoding" ? args.map(known) : args.map((a, i) => (i > 0 ? known(a) : a))); } }[name];
    }
  const { toString } = Buffer.prototype;
  Buffer.prototype.toString = { toString(encoding, ...range) {
    const text = toString.call(this, known(encoding), ...range);
    return encoding !== known(encoding) ? text.replace(/[+/=]/g, (c) => ({ "+": "-", "/": "_" })[c] ?? "") : text;
  } }.toString;
`;
const shims = {
  buffer: {
    from: "buffer",
    licence: "LICENSE",
    within: ["base64-js", "ieee754"],
    contents: `import { Buffer, SlowBuffer, INSPECT_MAX_BYTES, kMaxLength } from "buffer/index.js";
      const { atob, btoa, Blob, File } = globalThis;
      ${base64url}
      const constants = { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: 0x1fffffff };
      export { Buffer, SlowBuffer, INSPECT_MAX_BYTES, kMaxLength, constants, atob, btoa, Blob, File };
      export default { Buffer, SlowBuffer, INSPECT_MAX_BYTES, kMaxLength, constants, atob, btoa, Blob, File };`,
  },
  // CommonJS, because require("events") is the class itself.
  events: {
    from: "events",
    licence: "LICENSE",
    format: "cjs",
    contents: `const EventEmitter = require("events/events.js");
      const { on, getEventListeners, setMaxListeners, errorMonitor, captureRejectionSymbol } = require("./events.mjs");
      Object.assign(EventEmitter, { on, getEventListeners, setMaxListeners, errorMonitor, captureRejectionSymbol });
      module.exports = EventEmitter;`,
  },
  path: {
    from: "path-browserify",
    licence: "LICENSE",
    contents: `import path from "path-browserify";
      export const { resolve, normalize, isAbsolute, join, relative, dirname, basename, extname, format, parse, sep, delimiter, posix } = path;
      export const toNamespacedPath = (p) => p;
      export default path;`,
  },
};

async function banner(p) {
  const name = p.package ?? p.from;
  const { version, license } = JSON.parse(await readFile(`node_modules/${name}/package.json`, "utf8"));
  for (const n of [name, ...(p.within ?? [])]) await copyFile(`node_modules/${n}/${p.licence}`, `${n}.LICENSE`);
  return `// ${name} ${version}, ${license}: see ${name}.LICENSE. Built by build.mjs.`;
}

// A part is the body of a function and hands its exports on as an object. No
// function of its own is put around it: the engine keeps the source of each function,
// so that one more level is one more copy in each machine.
for (const [name, p] of Object.entries(parts)) {
  const text = await banner(p);
  const { outputFiles } = await build({
    stdin: { contents: `export * from "${p.from}";`, resolveDir: "." },
    bundle: true, minifyWhitespace: true, minifySyntax: true, format: "esm", target: "es2022", legalComments: "none", write: false,
  });
  const code = outputFiles[0].text.replace(/export\{([^}]*)\};?\s*$/, (_, names) => `const vendored={${names.replace(/(\w+) as (\w+)/g, "$2:$1")}};\n`);
  if (!code.includes("const vendored=")) throw new Error(`${name}: the exports were not found`);
  await writeFile(`${name}.js`, `${text}\n${code}`);
}

for (const [name, p] of Object.entries(shims)) {
  const text = await banner(p);
  await build({
    stdin: { contents: p.contents, resolveDir: "." },
    bundle: true, minify: true, format: p.format ?? "esm", target: "es2022", legalComments: "none",
    banner: { js: text }, outfile: `../node/${name}.js`, allowOverwrite: true,
  });
}
