// URLPattern is urlpattern-polyfill (see vendor_js).
return vendored;
