import { SignJWT, jwtVerify, errors } from "jose";

const key = new TextEncoder().encode("a key of at least thirty-two bytes");
export default {
  async fetch(request: Request) {
    const url = new URL(request.url);
    if (url.pathname === "/sign") {
      return new Response(await new SignJWT({ role: "reader" }).setProtectedHeader({ alg: "HS256" }).setSubject("ana").setIssuedAt(1_700_000_000).sign(key));
    }
    if (url.pathname === "/es256") {
      const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
      const token = await new SignJWT({ role: "writer" }).setProtectedHeader({ alg: "ES256" }).setExpirationTime("5m").sign(pair.privateKey);
      const { payload, protectedHeader } = await jwtVerify(token, pair.publicKey, { algorithms: ["ES256"] });
      return Response.json({ alg: protectedHeader.alg, role: payload.role });
    }
    try {
      const { payload } = await jwtVerify(url.searchParams.get("token") ?? "", key);
      return Response.json(payload);
    } catch (e) {
      return new Response(e instanceof errors.JOSEError ? e.code : String(e), { status: 401 });
    }
  },
};
