// Members sign in at an OpenID Connect issuer that nobody here wrote: oauth2-mock-server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { Browser, Tenantry } from "./tenantry.mjs";

const library = `${process.env.TENANTRY_TEST_NODE_MODULES}/oauth2-mock-server/dist/index.js`;
const { OAuth2Server } = await import(pathToFileURL(library));

const CLIENT = "tenantry-at-another-issuer";
const AUDIENCE = "https://tenantry.example/api";

let issuer;
let tenantry;
let keys;

before(async () => {
  issuer = new OAuth2Server();
  keys = {};
  for (const algorithm of ["RS256", "ES256", "PS256", "EdDSA"]) {
    keys[algorithm] = (await issuer.issuer.keys.generate(algorithm)).kid;
  }
  await issuer.start(0, "127.0.0.1");
  tenantry = await Tenantry.start({
    TENANTRY_SIGN_IN_ISSUER: issuer.issuer.url,
    TENANTRY_SIGN_IN_CLIENT_ID: CLIENT,
    TENANTRY_SIGN_IN_CLIENT_SECRET: "a secret of this registration",
    TENANTRY_SIGN_IN_AUDIENCES: AUDIENCE,
  });
});

after(async () => {
  await tenantry?.stop();
  await issuer?.stop();
});

/** Changes the next identity token, as an issuer that is wrong or an attacker would. */
function alter(change) {
  // The first token of an answer is the access token.
  let tokens = 0;
  const listener = (token) => {
    tokens += 1;
    if (tokens === 2) {
      change(token);
      issuer.service.off("beforeTokenSigning", listener);
    }
  };
  issuer.service.on("beforeTokenSigning", listener);
}

function accessToken(changes = {}, { kid = keys.RS256, from = issuer } = {}) {
  const claims = { aud: AUDIENCE, sub: "johndoe", scope: "access", ...changes };
  return from.issuer.buildToken({ kid, scopesOrTransform: (_header, payload) => Object.assign(payload, claims) });
}

test("nobody is a member yet", async () => {
  const browser = new Browser();
  const page = await browser.open(`${tenantry.url}/sign-in`);
  assert.equal(page.status, 403);
  assert.match(page.text, /NOT_A_MEMBER/);
  assert.equal(await browser.who(tenantry), null);
});

test("the first person becomes the administrator by the one-time link", async () => {
  const link = await tenantry.run("bootstrap");
  const browser = new Browser();
  const page = await browser.open(link);
  assert.equal(page.status, 200, page.text);
  assert.deepEqual(await browser.who(tenantry), { displayName: "Administrator", role: "ADMIN" });
  await assert.rejects(tenantry.run("bootstrap"), /has an administrator who can sign in/);
});

test("and signs in again", async () => {
  const browser = new Browser();
  assert.equal((await browser.open(`${tenantry.url}/sign-in`)).status, 200);
  assert.equal((await browser.who(tenantry)).role, "ADMIN");
});

const wrongIdentityTokens = {
  "of another request": (token) => (token.payload.nonce = "another"),
  "of no request": (token) => delete token.payload.nonce,
  "for another application": (token) => (token.payload.aud = "another"),
  "of another issuer": (token) => (token.payload.iss = "https://another.example"),
  "that has expired": (token) => (token.payload.exp -= 7_200),
  "of a time to come": (token) => (token.payload.nbf += 7_200),
  "without a subject": (token) => delete token.payload.sub,
  "of an unknown key": (token) => (token.header.kid = "unknown"),
  "of another key than it says": (token) => (token.header.kid = keys.PS256),
};

for (const [what, change] of Object.entries(wrongIdentityTokens)) {
  test(`an identity token ${what} is refused`, async () => {
    alter(change);
    const browser = new Browser();
    const page = await browser.open(`${tenantry.url}/sign-in`);
    assert.equal(page.status, 400, page.text);
    assert.match(page.text, /SIGN_IN_NOT_VERIFIED/);
    assert.equal(await browser.who(tenantry), null);
  });
}

test("a code that the issuer refuses is said in words", async () => {
  issuer.service.once("beforeResponse", (response) => {
    response.statusCode = 400;
    response.body = { error: "invalid_grant", error_description: "a secret that is not shown" };
  });
  const page = await new Browser().open(`${tenantry.url}/sign-in`);
  assert.equal(page.status, 400);
  assert.match(page.text, /You are not signed in/);
  assert.doesNotMatch(page.text, /a secret that is not shown/);
});

test("an answer of another issuer, or with another state, is refused", async () => {
  for (const [name, value] of [["iss", "https://another.example"], ["state", "another"]]) {
    const page = await new Browser().open(`${tenantry.url}/sign-in`, {
      alter: (url) => {
        if (url.pathname === "/sign-in/callback") url.searchParams.set(name, value);
        return url;
      },
    });
    assert.ok(page.status >= 400, `${name}: ${page.text}`);
  }
});

for (const algorithm of ["RS256", "ES256", "PS256", "EdDSA"]) {
  test(`an access token signed with ${algorithm} is taken`, async () => {
    const answer = await tenantry.ask(await accessToken({}, { kid: keys[algorithm] }));
    assert.equal(answer.body.data?.viewer.member.role, "ADMIN", JSON.stringify(answer));
  });
}

test("an access token for several applications is taken if one of them is ours", async () => {
  const answer = await tenantry.ask(await accessToken({ aud: ["https://another.example", AUDIENCE] }));
  assert.equal(answer.status, 200);
});

test("access tokens that are not for us are refused with the reason", async () => {
  const other = new OAuth2Server();
  await other.issuer.keys.generate("RS256");
  await other.start(0, "127.0.0.1");
  const [foreignKey] = other.issuer.keys.toJSON();
  const whole = await accessToken();
  const [header, payload, signature] = whole.split(".");
  const unsigned = Buffer.from(JSON.stringify({ alg: "none", typ: "JWT", kid: keys.RS256 })).toString("base64url");
  const now = Math.floor(Date.now() / 1_000);
  const cases = {
    NOT_RECOGNIZED: [
      await accessToken({ aud: "https://another.example" }),
      await accessToken({ iss: "https://another.example" }),
      await accessToken({ nonce: "of an identity token" }),
      await accessToken({ nbf: now + 7_200 }),
      await accessToken({}, { kid: foreignKey.kid, from: other }),
      `${unsigned}.${payload}.${signature}`,
      `${header}.${Buffer.from(JSON.stringify({ sub: "johndoe", aud: AUDIENCE })).toString("base64url")}.${signature}`,
    ],
    EXPIRED: [await accessToken({ exp: now - 7_200 })],
    INCOMPLETE: [whole.slice(0, -10), whole.slice(0, 40), `${header}.${payload}`, `${header}.${payload}.`, "eyJ"],
    INSUFFICIENT_ROLE: [await accessToken({ sub: "somebody else" })],
  };
  for (const [reason, tokens] of Object.entries(cases)) {
    for (const [number, token] of tokens.entries()) {
      const answer = await tenantry.ask(token);
      assert.equal(answer.reason, reason, `${reason} ${number}: ${JSON.stringify(answer)}`);
      assert.equal(answer.status, reason === "INSUFFICIENT_ROLE" ? 403 : 401);
      assert.match(answer.challenge, /^Bearer error="(invalid_token|insufficient_scope)"/);
    }
  }
  await other.stop();
});
