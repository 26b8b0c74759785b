import { SignJWT, jwtVerify, errors } from "jose";

const key = new TextEncoder().encode("a key of at least thirty-two bytes");
export default {
  async fetch(request: Request) {
    const url = new URL(request.url);
    if (url.pathname === "/sign") {
      return new Response(await new SignJWT({ role: "reader" }).setProtectedHeader({ alg: "HS256" }).setSubject("ana").setIssuedAt(1_700_000_000).sign(key));
    }
    try {
      const { payload } = await jwtVerify(url.searchParams.get("token") ?? "", key);
      return Response.json(payload);
    } catch (e) {
      return new Response(e instanceof errors.JOSEError ? e.code : String(e), { status: 401 });
    }
  },
};
