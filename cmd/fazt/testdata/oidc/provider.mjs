// An OpenID Connect provider whose people sign in by a form, for one client. It says
// where it listens on its first line. Arguments: the client's secret, its redirect addresses.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [secret, ...redirects] = process.argv.slice(2);
const server = createServer();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: "fazt", client_secret: secret, redirect_uris: redirects }],
  claims: { email: ["email", "email_verified"], profile: ["name"] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true, name: id }),
  }),
});
server.on("request", provider.callback());
console.log(issuer);
