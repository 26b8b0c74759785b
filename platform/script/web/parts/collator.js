// The order of words: Intl.Collator and localeCompare. The rules are Go's.
const SENSITIVITY = { base: "cd", accent: "c", case: "d", variant: "" };

function choice(options, name, allowed, otherwise) {
  const value = options[name];
  if (value === undefined) return otherwise;
  if (!allowed.includes(`${value}`)) throw new RangeError(`${name} cannot be ${JSON.stringify(`${value}`.slice(0, 100))} here`);
  return `${value}`;
}

function tags(locales) {
  if (locales === undefined) return [];
  if (typeof locales === "string") return [locales];
  return Array.from(Object(locales), (tag) => {
    if (typeof tag !== "string" && (typeof tag !== "object" || tag === null)) throw new TypeError("a language is a string or an object");
    return `${tag}`;
  });
}

// languageOf is the first of what is asked for whose order is known.
function languageOf(locales) {
  const asked = tags(locales);
  if (asked.length === 0) return "en-US";
  for (const tag of asked) {
    const known = web.call("collates", tag);
    if (known !== "") return known;
  }
  throw new RangeError(`the order of words in ${JSON.stringify(asked[0].slice(0, 100))} is not known here`);
}

class Collator {
  #language;
  #how;
  #resolved;
  #compare;
  constructor(locales = undefined, options = undefined) {
    if (options === null) throw new TypeError("the options are no object");
    const o = options === undefined ? {} : Object(options);
    const sensitivity = choice(o, "sensitivity", Object.keys(SENSITIVITY), "variant");
    const numeric = !!o.numeric;
    choice(o, "caseFirst", ["false"], "false");
    choice(o, "collation", ["default"], "default");
    if (o.ignorePunctuation) throw new RangeError("ignorePunctuation is not known here");
    this.#language = languageOf(locales);
    this.#how = (numeric ? "n" : "") + SENSITIVITY[sensitivity];
    this.#resolved = { locale: this.#language, usage: choice(o, "usage", ["sort", "search"], "sort"), sensitivity, ignorePunctuation: false, collation: "default", numeric, caseFirst: "false" };
  }
  get compare() {
    return (this.#compare ??= (a, b) => this.#ordered(`${a}`, `${b}`));
  }
  #ordered(a, b) { return a === b ? 0 : web.call("collate", a, b, this.#language, this.#how); }
  resolvedOptions() { return { ...this.#resolved }; }
  static supportedLocalesOf(locales) { return tags(locales).map((tag) => web.call("collates", tag)).filter((tag) => tag !== ""); }
  get [Symbol.toStringTag]() { return "Intl.Collator"; }
}

let usual = null;

function localeCompare(one, that, locales, options) {
  if (one === null || one === undefined) throw new TypeError("localeCompare needs a string");
  const collator = locales === undefined && options === undefined ? (usual ??= new Collator()) : new Collator(locales, options);
  return collator.compare(`${one}`, `${that}`);
}

return { Collator, localeCompare };
