// The dashboard in a real browser, against a server of its own:
// `node run.mjs PATH-OF-ORDERD PATH-OF-CHROMIUM`.
// What is looked for stands in checks.mjs; each check is tried by itself, and all are told of.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { checks } from "./checks.mjs";

const QUIET = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** A port that is free now. */
async function freePort() {
  const socket = createSocket().listen(0, "127.0.0.1");
  await new Promise((done) => socket.once("listening", done));
  const { port } = socket.address();
  await new Promise((done) => socket.close(done));
  return port;
}

/** A demo shop in a directory of its own, which outlives a restart. */
class Server {
  constructor(program, port) {
    this.program = program;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.directory = mkdtempSync(join(tmpdir(), "orderd-ui-"));
  }

  async start() {
    const orders = ["--orders", "600", "--rate", "3"];
    const where = ["--listen", `127.0.0.1:${this.port}`, "--keep", this.directory];
    this.process = spawn(this.program, ["dev", ...where, ...orders], {
      stdio: ["ignore", "ignore", "pipe"],
      cwd: this.directory,
      env: { ...process.env, ORDERD_LOG_LEVEL: "warn", ORDERD_SERVER_TRUSTED_PROXIES: "127.0.0.1" },
    });
    this.errors = "";
    this.process.stderr.on("data", (text) => { this.errors += text; });
    this.ended = new Promise((done) => this.process.once("exit", (code) => done(code)));
    for (let tries = 0; tries < 300; tries++) {
      const ready = await fetch(this.url + "/readyz").catch(() => null);
      if (ready?.ok) return;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error("the server did not start: " + this.errors);
  }

  /** How long it takes to end, in ms, and with which code. */
  async stop() {
    const began = performance.now();
    this.process.kill("SIGTERM");
    const code = await this.ended;
    return { took: performance.now() - began, code };
  }

  /** What is asked of `/v1`. */
  async ask(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      body: body && JSON.stringify(body),
      headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}

/** A proxy that has the server behind a prefix, as nginx does. */
function behindPrefix(server, prefix) {
  return createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith(prefix)) return outgoing.writeHead(404).end();
    const asked = request(server.url + incoming.url.slice(prefix.length), {
      method: incoming.method,
      headers: { ...incoming.headers, "x-forwarded-prefix": prefix },
    }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    asked.on("error", () => outgoing.destroy());
    outgoing.on("close", () => asked.destroy());
    incoming.pipe(asked);
  });
}

const [program, chrome, ...wanted] = process.argv.slice(2);
if (!chrome) {
  console.error("usage: node run.mjs PATH-OF-ORDERD PATH-OF-CHROMIUM [WORDS OF CHECKS]");
  process.exit(2);
}
const server = new Server(program, await freePort());
process.on("exit", () => server.process?.kill("SIGKILL"));
let failed = 0;
let browser;
try {
  await server.start();
  const proxy = behindPrefix(server, "/x/orderd").listen(0, "127.0.0.1");
  await new Promise((done) => proxy.once("listening", done));
  browser = await chromium.launch({ executablePath: chrome, args: QUIET });
  const scene = { server, browser, prefixed: `http://127.0.0.1:${proxy.address().port}/x/orderd` };
  failed = await run(checks.filter(([name]) => !wanted.length || wanted.some((word) => name.includes(word))), scene);
  const { code } = await server.stop();
  if (code !== 0) throw new Error(`the server ended with ${code}: ${server.errors}`);
} catch (error) {
  console.log(`FAILED ${error.stack}`);
  failed += 1;
}
await browser?.close();
rmSync(server.directory, { recursive: true, force: true });
process.exit(failed ? 1 : 0);

/** Runs checks one after the other; how many failed. */
async function run(wanted, scene) {
  if (!wanted.length) throw new Error("no check has such a name");
  let failed = 0;
  for (const [name, check] of wanted) {
    const began = performance.now();
    let word = "ok    ", said;
    try {
      said = await check(scene);
    } catch (error) {
      [word, said] = ["FAILED", "\n" + (error.stack ?? error)];
      failed += 1;
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
    console.log(`${word} ${seconds} s  ${name}${said ? ": " + said : ""}`);
  }
  return failed;
}
