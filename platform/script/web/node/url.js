// node:url: the classes of the web, and the old functions over them.
const { URL, URLSearchParams } = globalThis;

export function fileURLToPath(url) {
  const u = typeof url === "string" ? new URL(url) : url;
  if (u.protocol !== "file:") throw new TypeError("The URL must be of scheme file");
  if (/%2f/i.test(u.pathname)) throw new TypeError("File URL path must not include encoded / characters");
  return decodeURIComponent(u.pathname);
}
export function pathToFileURL(path) {
  const u = new URL("file:///");
  u.pathname = `${path}`.replace(/%/g, "%25").replace(/\\/g, "%5C").replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/\t/g, "%09").replace(/\?/g, "%3F").replace(/#/g, "%23");
  return u;
}
export function urlToHttpOptions(u) {
  const { protocol, hostname, hash, search, pathname, href, port, username, password } = u;
  const options = { protocol, hostname: hostname.replace(/^\[|\]$/g, ""), hash, search, pathname, path: pathname + search, href };
  if (port !== "") options.port = Number(port);
  if (username || password) options.auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return options;
}
export const domainToASCII = (domain) => URL.parse(`ws://${domain}`)?.hostname ?? "";
export const domainToUnicode = domainToASCII; // no table of names here

// Url is what the old parse returns.
export function Url() {
  this.protocol = this.slashes = this.auth = this.host = this.port = this.hostname = this.hash = this.search = this.query = this.pathname = this.path = this.href = null;
}
export function parse(address, parseQuery = false, slashesDenoteHost = false) {
  if (typeof address !== "string") throw new TypeError('The "url" argument must be of type string');
  const result = new Url();
  const text = address.trim();
  const absolute = /^[a-z][a-z0-9+.-]*:/i.test(text);
  const u = absolute ? URL.parse(text) : URL.parse(text, slashesDenoteHost && text.startsWith("//") ? "http://x" : `http://x/`);
  if (u === null) throw Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input: address });
  if (absolute || (slashesDenoteHost && text.startsWith("//"))) {
    if (absolute) result.protocol = u.protocol;
    result.slashes = /^([a-z][a-z0-9+.-]*:)?\/\//i.test(text) || null;
    result.host = u.host;
    result.hostname = u.hostname.replace(/^\[|\]$/g, "");
    result.port = u.port || null;
    if (u.username || u.password) result.auth = decodeURIComponent(u.username) + (u.password ? `:${decodeURIComponent(u.password)}` : "");
    result.pathname = u.pathname || null;
  } else {
    // A relative address keeps its dots: nothing is resolved yet.
    result.pathname = text.replace(/[?#].*$/s, "") || null;
  }
  result.hash = u.hash || null;
  result.search = u.search || (parseQuery ? "" : null);
  result.query = parseQuery ? Object.fromEntries([...new Set(u.searchParams.keys())].map((k) => [k, u.searchParams.getAll(k).length > 1 ? u.searchParams.getAll(k) : u.searchParams.get(k)])) : u.search ? u.search.slice(1) : null;
  result.path = result.pathname || result.search ? `${result.pathname ?? ""}${result.search ?? ""}` : null;
  result.href = format(result);
  return result;
}
export function format(u, options = {}) {
  if (typeof u === "string") return parse(u).href;
  if (u instanceof URL) {
    const copy = new URL(u.href);
    if (options.fragment === false) copy.hash = "";
    if (options.search === false) copy.search = "";
    if (options.auth === false) copy.username = copy.password = "";
    return copy.href;
  }
  let protocol = u.protocol ?? "";
  if (protocol && !protocol.endsWith(":")) protocol += ":";
  const host = u.host ?? (u.hostname ? (u.hostname.includes(":") ? `[${u.hostname}]` : u.hostname) + (u.port ? `:${u.port}` : "") : null);
  let search = u.search ?? (u.query && typeof u.query === "object" ? new URLSearchParams(Object.entries(u.query).flatMap(([k, v]) => [v].flat().map((x) => [k, x]))).toString() : "");
  if (search && !search.startsWith("?")) search = `?${search}`;
  let hash = u.hash ?? "";
  if (hash && !hash.startsWith("#")) hash = `#${hash}`;
  let pathname = u.pathname ?? "";
  const slashes = u.slashes || (host !== null && host !== "" && /^(https?|ftp|wss?|file):?$/.test(u.protocol ?? ""));
  if (slashes && pathname && !pathname.startsWith("/")) pathname = `/${pathname}`;
  const authority = host === null ? (slashes && protocol === "file:" ? "//" : "") : `${slashes ? "//" : ""}${u.auth ? `${encodeURIComponent(u.auth).replace("%3A", ":")}@` : ""}${host}`;
  return protocol + authority + pathname.replace(/[?#]/g, encodeURIComponent) + search.replace("#", "%23") + hash;
}
export function resolve(from, to) {
  const base = URL.parse(from, "resolve://x/");
  const u = new URL(to, base ?? "resolve://x/");
  if (u.protocol !== "resolve:") return u.href;
  return (from.startsWith("/") || to.startsWith("/") ? u.pathname : u.pathname.slice(1)) + u.search + u.hash;
}
export const resolveObject = (from, to) => parse(resolve(from, to));

export { URL, URLSearchParams };
export default { URL, URLSearchParams, Url, parse, format, resolve, resolveObject, fileURLToPath, pathToFileURL, urlToHttpOptions, domainToASCII, domainToUnicode };
