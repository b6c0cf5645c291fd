// A Tenantry whose members sign in at a given issuer, and a browser.

import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const PROGRAM = resolve(process.env.TENANTRY_BINARY);

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export class Tenantry {
  static async start(settings) {
    const one = new Tenantry();
    one.folder = await mkdtemp(join(tmpdir(), "tenantry-sign-in."));
    const port = await freePort();
    one.url = `http://127.0.0.1:${port}`;
    one.environment = {
      PATH: process.env.PATH,
      DATABASE_URL: `sqlite://${one.folder}/tenantry.db`,
      TENANTRY_LISTEN: `127.0.0.1:${port}`,
      TENANTRY_PUBLIC_URL: one.url,
      TENANTRY_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
      TENANTRY_LOG: "error",
      // Nobody is onboarded here: Microsoft is never called.
      MICROSOFT_CLIENT_ID: "11111111-2222-4333-8444-555555555555",
      MICROSOFT_CLIENT_SECRET: "unused",
      MICROSOFT_LOGIN_URL: "http://127.0.0.1:1",
      MICROSOFT_ARM_URL: "http://127.0.0.1:1",
      MICROSOFT_GRAPH_URL: "http://127.0.0.1:1",
      ...settings,
    };
    // In its folder, by which tests/run finds it if this process is killed.
    one.process = spawn(PROGRAM, ["serve"], { cwd: one.folder, env: one.environment, stdio: ["ignore", "inherit", "inherit"] });
    const ended = new Promise((_, fail) => one.process.once("exit", (code) => fail(new Error(`serve ended with ${code}`))));
    await Promise.race([one.becomesReady(), ended]);
    ended.catch(() => {});
    return one;
  }

  async becomesReady() {
    for (let waited = 0; waited < 60_000; waited += 50) {
      const ready = await fetch(`${this.url}/readyz`).catch(() => null);
      if (ready?.ok) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error("it does not become ready");
  }

  async run(...command) {
    return (await promisify(execFile)(PROGRAM, command, { env: this.environment })).stdout.trim();
  }

  async stop() {
    const gone = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGTERM");
    await gone;
    await rm(this.folder, { recursive: true });
  }

  /** What a front end on another origin is answered with an access token. */
  async ask(token, query = "{ viewer { member { displayName role } } }") {
    const response = await fetch(`${this.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query }),
    });
    const body = await response.json();
    const challenge = response.headers.get("www-authenticate") ?? "";
    return { status: response.status, reason: body.errors?.[0]?.extensions?.reason, challenge, body };
  }
}

/** A browser: it follows redirects, and keeps cookies by host. */
export class Browser {
  cookies = new Map();

  async open(link, { alter = (url) => url } = {}) {
    let url = new URL(link);
    for (let hops = 0; hops < 10; hops += 1) {
      const response = await fetch(url, { redirect: "manual", headers: { cookie: this.cookie(url) } });
      for (const cookie of response.headers.getSetCookie()) {
        const [pair] = cookie.split(";");
        const [name, value] = pair.split(/=(.*)/s);
        if (/max-age=0/i.test(cookie)) this.cookies.delete(`${url.host} ${name}`);
        else this.cookies.set(`${url.host} ${name}`, value);
      }
      if (response.status < 300 || response.status >= 400) return { status: response.status, text: await response.text(), url };
      url = alter(new URL(response.headers.get("location"), url));
    }
    throw new Error("it redirects without end");
  }

  cookie(url) {
    const own = [...this.cookies].filter(([key]) => key.startsWith(`${url.host} `));
    return own.map(([key, value]) => `${key.split(" ")[1]}=${value}`).join("; ");
  }

  /** Who is signed in, as one of our own pages asks. */
  async who(tenantry) {
    const url = new URL("/graphql", tenantry.url);
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", cookie: this.cookie(url), origin: tenantry.url },
      body: JSON.stringify({ query: "{ viewer { member { displayName role } } }" }),
    });
    return (await response.json()).data?.viewer?.member ?? null;
  }
}
