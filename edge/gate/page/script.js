// The fragment of the page somebody came from is known to the browser alone: it
// goes along as a part of where they end.
const start = document.getElementById("start");
if (start !== null) {
  const url = new URL(start.href);
  if (location.hash !== "") url.searchParams.set("to", url.searchParams.get("to") + location.hash);
  location.replace(url.href);
}
