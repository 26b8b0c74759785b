import { useId, type ReactNode } from "react";
import { renderToReadableStream, renderToString } from "react-dom/server";

function Field({ label, children }: { label: string; children?: ReactNode }) {
  const id = useId();
  return <p><label htmlFor={id}>{label}</label><input id={id} />{children}</p>;
}

export default {
  async fetch(request: Request) {
    const page = <html lang="en"><body><Field label="a & b"><em>{1 + 1}</em></Field></body></html>;
    const body = new URL(request.url).pathname === "/stream" ? await renderToReadableStream(page) : "<!doctype html>" + renderToString(page);
    return new Response(body, { headers: { "content-type": "text/html; charset=utf-8" } });
  },
};
