"use strict";

const http = require("node:http");
const { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } = require("jose");
const { signIn } = require("../src/sign-in");
const { readConfig } = require("../src/config");
const { closeAll, serving } = require("./serving");

const ISSUER = "https://issuer.example/pool";
const AUDIENCE = "taskmanager";
let keys;
let others;
let server;
let jwks;

beforeAll(async () => {
  [keys, others] = await Promise.all([generateKeyPair("RS256"), generateKeyPair("RS256")]);
  const known = JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: "one", alg: "RS256", use: "sig" }] });
  server = http.createServer((request, answer) => answer.setHeader("content-type", "application/json").end(known));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  jwks = `http://127.0.0.1:${server.address().port}/jwks.json`;
});
afterAll(() => server.close());
afterEach(closeAll);

function token({ issuer = ISSUER, claims = { aud: AUDIENCE }, expires = "5m", key = keys.privateKey, sub = "ada" } = {}) {
  const made = new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "one" }).setIssuer(issuer).setIssuedAt().setSubject(sub);
  return (expires ? made.setExpirationTime(expires) : made).sign(key);
}

async function asked(bearer) {
  const ask = await serving({ signedIn: signIn({ issuer: ISSUER, audience: AUDIENCE, jwks }) });
  return ask("GET", "/api/tasks", undefined, bearer ? { authorization: `Bearer ${bearer}` } : {});
}

test("lets in whoever the issuer signed in for this application", async () => {
  expect((await asked(await token())).status).toBe(200);
  expect((await asked(await token({ claims: { client_id: AUDIENCE, token_use: "access" } }))).status).toBe(200);
});

test.each([
  ["no token", async () => undefined, /bearer token is needed/],
  ["another issuer", () => token({ issuer: "https://issuer.example/other" }), /not valid/],
  ["another audience", () => token({ claims: { aud: "another" } }), /not for this application/],
  ["no audience", () => token({ claims: {} }), /not for this application/],
  ["an expired token", () => token({ expires: "-1m" }), /has expired/],
  ["a token without an end", () => token({ expires: null }), /not valid/],
  ["another key", () => token({ key: others.privateKey }), /not valid/],
  ["an unsigned token", async () => new UnsecuredJWT({ aud: AUDIENCE }).setIssuer(ISSUER).setSubject("ada").setExpirationTime("5m").encode(), /not valid/],
  ["a token that was changed", async () => (await token()).replace(/\.[^.]+\./, `.${Buffer.from('{"sub":"eve"}').toString("base64url")}.`), /not valid/],
])("refuses %s", async (_, made, why) => {
  const { status, body, headers } = await asked(await made());
  expect(status).toBe(401);
  expect(body.error).toMatch(why);
  expect(headers.get("www-authenticate")).toBe("Bearer");
});

test("says so when the issuer's keys cannot be read, and lets nobody in", async () => {
  const signedIn = signIn({ issuer: ISSUER, audience: AUDIENCE, jwks: "http://127.0.0.1:9/jwks.json" });
  const ask = await serving({ signedIn });
  const { status, body } = await ask("GET", "/api/tasks", undefined, { authorization: `Bearer ${await token()}` });
  expect(status).toBe(503);
  expect(body.error).toMatch(/cannot be read/);
});

test("asks nobody for a token who looks whether it is well", async () => {
  const ask = await serving({ signedIn: signIn({ issuer: ISSUER, audience: AUDIENCE, jwks }) });
  expect((await ask("GET", "/healthz")).status).toBe(200);
  expect((await ask("GET", "/version")).status).toBe(200);
});

test("is off unless all of it is said", () => {
  const env = { DATABASE_URL: "postgres://app@database/app" };
  expect(readConfig(env).oidc).toBeUndefined();
  expect(() => readConfig({ ...env, OIDC_ISSUER: ISSUER })).toThrow(/OIDC_AUDIENCE and OIDC_JWKS is not set/);
  expect(readConfig({ ...env, OIDC_ISSUER: ISSUER, OIDC_AUDIENCE: AUDIENCE, OIDC_JWKS: jwks }).oidc.jwks).toBe(jwks);
});
