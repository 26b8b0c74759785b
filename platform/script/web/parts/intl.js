// Intl as the engine defines it takes any language and writes en-US, and passes over
// options that it does not know. What it would get wrong is refused here.
const Intl = web.global.Intl;

function language(locales) {
  const asked = Intl.getCanonicalLocales(locales);
  if (asked.length > 0 && !asked.includes("en") && !asked.includes("en-US"))
    throw new RangeError(`Intl knows en-US alone, not ${asked[0].slice(0, 100)}: the text of other languages comes from a package`);
  return "en-US";
}

// Of these the engine knows one value each, or passes over the others.
const ONLY = { calendar: ["gregory"], numberingSystem: ["latn"], roundingIncrement: ["1"], roundingPriority: ["auto"], currencyDisplay: ["symbol", "narrowSymbol", "code"] };

function known(options) {
  if (options === undefined || options === null) return options;
  const fixed = {};
  for (const name in ONLY) {
    const value = options[name];
    if (value === undefined) continue;
    if (!ONLY[name].includes(`${value}`)) throw new RangeError(`${name} cannot be ${JSON.stringify(`${value}`.slice(0, 100))} here: there is ${ONLY[name].join(", ")}`);
    fixed[name] = { value };
  }
  const { timeZone } = options;
  if (timeZone !== undefined) {
    const value = web.call("zone", `${timeZone}`);
    if (value === "") throw new RangeError(`invalid time zone: ${JSON.stringify(`${timeZone}`.slice(0, 100))} (it is a name of the IANA database, as it is spelled there)`);
    fixed.timeZone = { value };
  }
  return Object.create(Object(options), fixed);
}

// ours throws what the engine's script throws from here: its own places would be taken
// for those of the app.
function ours(make) {
  try {
    return make();
  } catch (e) {
    if (e instanceof RangeError) throw new RangeError(e.message);
    if (e instanceof TypeError) throw new TypeError(e.message);
    throw e;
  }
}

for (const name of ["DateTimeFormat", "NumberFormat"]) {
  const native = Intl[name];
  const { [name]: made } = {
    [name]: function (locales = undefined, options = undefined) {
      return ours(() => Reflect.construct(native, [language(locales), known(options)], new.target ?? made));
    },
  };
  Object.defineProperty(made, "prototype", { value: native.prototype, writable: false });
  web.hidden(native.prototype, "constructor", made);
  web.hidden(made, "supportedLocalesOf", { supportedLocalesOf: (locales) => Intl.getCanonicalLocales(locales).filter((tag) => tag === "en" || tag === "en-US") }.supportedLocalesOf);
  web.hidden(Intl, name, made);
}
web.hidden(Intl, "Collator", web.part("collator").Collator);

for (const [type, names] of [[Date, ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]], [Number, ["toLocaleString"]], [BigInt, ["toLocaleString"]]])
  for (const name of names) {
    const native = type.prototype[name];
    const { [name]: method } = { [name](locales = undefined, options = undefined) { return ours(() => native.call(this, language(locales), known(options))); } };
    web.hidden(type.prototype, name, method);
  }

return {};
