// The streams are web-streams-polyfill (see vendor_js). What the standard has and
// the library leaves to its host is added here.
return vendored;
