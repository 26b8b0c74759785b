package script_test

import (
	"testing"

	"github.com/fazt-sh/fazt/platform/script"
)

// What an app gets from Intl and the methods that stand on it: en-US, any time zone,
// and an error for what would be answered wrongly.
func TestIntl(t *testing.T) {
	a := open(t, host(t, script.Config{}), handler(`
const at = new Date(Date.UTC(2026, 0, 31, 20, 5, 9));
const name = (f) => { try { return f(); } catch (e) { return e.name; } };
const cases = {
  tokyo: [() => at.toLocaleString("en-US", { timeZone: "Asia/Tokyo" }), "2/1/2026, 5:05:09 AM"],
  offset: [() => at.toLocaleTimeString("en-US", { timeZone: "+0530" }), "1:35:09 AM"],
  utc: [() => at.toLocaleDateString("en", { timeZone: "utc", dateStyle: "full" }), "Saturday, January 31, 2026"],
  plain: [() => at.toLocaleString(), "1/31/2026, 8:05:09 PM"],
  list: [() => at.toLocaleDateString(["de", "en-US"]), "1/31/2026"],
  german: [() => at.toLocaleDateString("de-DE"), "RangeError"],
  extension: [() => at.toLocaleDateString("en-US-u-ca-buddhist"), "RangeError"],
  malformed: [() => at.toLocaleDateString("en_US"), "RangeError"],
  mars: [() => at.toLocaleString("en-US", { timeZone: "Mars/Base" }), "RangeError"],
  local: [() => at.toLocaleString("en-US", { timeZone: "Local" }), "RangeError"],
  islamic: [() => at.toLocaleString("en-US", { calendar: "islamic" }), "RangeError"],
  number: [() => (1234.5).toLocaleString(), "1,234.5"],
  arabic: [() => (1234.5).toLocaleString("ar"), "RangeError"],
  money: [() => (1234.5).toLocaleString("en-US", { style: "currency", currency: "EUR" }), "€1,234.50"],
  names: [() => (1).toLocaleString("en-US", { style: "currency", currency: "EUR", currencyDisplay: "name" }), "RangeError"],
  big: [() => 1234n.toLocaleString(), "1,234"],
  format: [() => new Intl.DateTimeFormat("en-US", { timeZone: "America/New_York", hour: "numeric" }).format(at), "3 PM"],
  zone: [() => new Intl.DateTimeFormat().resolvedOptions().timeZone, "UTC"],
  called: [() => Intl.NumberFormat() instanceof Intl.NumberFormat, true],
  derived: [() => new (class X extends Intl.NumberFormat {})("en").format(1e6), "1,000,000"],
  constructor: [() => new Intl.NumberFormat().constructor === Intl.NumberFormat, true],
  supported: [() => Intl.DateTimeFormat.supportedLocalesOf(["de", "en-GB", "en-US"]).join(), "en-US"],
  wrong: [() => new Intl.NumberFormat("en", { style: "currency" }), "TypeError"],
  sort: [() => ["b", "C", "a", "B", "á", "10", "9"].sort((a, b) => a.localeCompare(b)).join(), "10,9,a,á,b,B,C"],
  numeric: [() => ["f10", "f9"].sort(new Intl.Collator(undefined, { numeric: true }).compare).join(), "f9,f10"],
  base: [() => "résumé".localeCompare("RESUME", "en", { sensitivity: "base" }), 0],
  swedish: [() => ["ö", "z"].sort((a, b) => a.localeCompare(b, "sv")).join() + ["z", "ö"].sort((a, b) => a.localeCompare(b, "de")).join(), "z,öö,z"],
  unknown: [() => "a".localeCompare("b", "tlh"), "RangeError"],
  punctuation: [() => new Intl.Collator("en", { ignorePunctuation: true }), "RangeError"],
};
const wrong = Object.entries(cases).filter(([, [f, want]]) => name(f) !== want);
return new Response(wrong.map(([k, [f, want]]) => k + ": " + name(f) + ", want " + want).join("\n"));`), script.Bounds{})
	if status, body := fetch(t, a, get("http://app.test/"), &world{}); status != 200 || body != "" {
		t.Errorf("%d %s", status, body)
	}
}

// A module may ask for Intl while it is evaluated, as packages do.
func TestIntlOfAModule(t *testing.T) {
	a := open(t, host(t, script.Config{}), `const f = new Intl.DateTimeFormat("en-US", { timeZone: "UTC" });
export default { fetch() { return new Response(f.format(new Date(0))) } }`, script.Bounds{})
	if _, body := fetch(t, a, get("http://app.test/"), &world{}); body != "1/1/1970" {
		t.Errorf("%q", body)
	}
}
