// node:querystring.
const keep = { "%21": "!", "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%7E": "~" };
export const escape = (text) => encodeURIComponent(typeof text === "object" ? String(text) : `${text}`).replace(/%(?:21|27|28|29|2A|7E)/g, (x) => keep[x]);
export function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return new URLSearchParams(`x=${text.replaceAll("+", "%2B").replaceAll("&", "%26")}`).get("x");
  }
}
const primitive = (value) => (typeof value === "string" ? value : typeof value === "bigint" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value)) ? `${value}` : "");

export function stringify(object, separator = "&", equals = "=", options = {}) {
  if (object === null || typeof object !== "object") return "";
  const encode = options?.encodeURIComponent ?? escape;
  const fields = [];
  for (const [name, value] of Object.entries(object))
    for (const one of Array.isArray(value) ? value : [value]) fields.push(`${encode(name)}${equals}${encode(primitive(one))}`);
  return fields.join(separator);
}
export function parse(text, separator = "&", equals = "=", options = {}) {
  const result = Object.create(null);
  if (typeof text !== "string" || text === "") return result;
  const decode = options?.decodeURIComponent ?? unescape;
  const read = (piece) => {
    piece = piece.replaceAll("+", " ");
    try {
      return decode(piece);
    } catch {
      return unescape(piece);
    }
  };
  const most = options?.maxKeys ?? 1000;
  const pieces = text.split(separator);
  for (const piece of most > 0 ? pieces.slice(0, most) : pieces) {
    if (piece === "") continue;
    const at = piece.indexOf(equals);
    const name = read(at < 0 ? piece : piece.slice(0, at));
    const value = at < 0 ? "" : read(piece.slice(at + equals.length));
    if (!(name in result)) result[name] = value;
    else if (Array.isArray(result[name])) result[name].push(value);
    else result[name] = [result[name], value];
  }
  return result;
}
export const encode = stringify;
export const decode = parse;
export default { escape, unescape, stringify, parse, encode, decode };
