// What is looked for in the dashboard. A check throws where something is wrong; what it gives back
// is said beside its name.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PICTURES = fileURLToPath(new URL("../docs/pictures/", import.meta.url));
const PAGES = ["", "orders", "products", "ledger", "dead-letters", "providers", "idempotency", "system"];
/** Own style sheet and script together, in bytes. */
const OWN_MAX = 15 * 1024;

/** How long the first page and an end may take, in ms: of a debug build, beside compilers. */
const FIRST_PAGE_MAX = 50;
const ENDED_MAX = 3_000;

/** A page in a context of its own, and what goes wrong on it. */
async function open(scene, options = {}) {
  const context = await scene.browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const wrong = [];
  context.on("console", (line) => {
    if (["error", "warning"].includes(line.type())) wrong.push(`console: ${line.text()}`);
  });
  context.on("weberror", (error) => wrong.push(`error: ${error.error()}`));
  context.on("request", (asked) => {
    const { hostname } = new URL(asked.url());
    if (hostname !== "127.0.0.1" && !asked.url().startsWith("data:")) wrong.push(`off host: ${asked.url()}`);
  });
  const page = await context.newPage();
  return { context, page, wrong };
}

const ui = (scene, path = "") => `${scene.server.url}/ui/${path}`;

async function until(what, test, ms = 60_000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await test();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not come about within ${ms} ms`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Keeps what a page asks for at `url` waiting until it is let go. */
async function hold(target, url) {
  let letGo;
  const held = new Promise((done) => { letGo = done; });
  await target.route(url, async (route) => {
    await held;
    await route.continue();
  });
  return letGo;
}

const isLive = (page) => page.locator("#connection", { hasText: "live" }).waitFor();

/** An order that has come to an end, and one of those that were given up. */
async function someOrders(scene) {
  const completed = await until("a completed order", async () =>
    (await scene.server.ask("GET", "/v1/orders?limit=1&status=completed")).items[0]);
  const letters = await until("a dead letter", async () => {
    const found = await scene.server.ask("GET", "/v1/dead-letters?limit=20");
    return found.items.length && found.items;
  });
  return { completed: completed.order_id, letters };
}

/** An order of the demo shop that has come to its end, completed. */
async function completedOrder(scene) {
  for (let tries = 0; tries < 20; tries++) {
    const { order_id } = await scene.server.ask("POST", "/v1/orders",
      { customer_id: "watched", lines: [{ item_id: "kettle", quantity: 1 }] });
    if (await ended(scene, order_id) === "completed") return order_id;
  }
  throw new Error("of twenty orders none was completed");
}

/** The status that an order has at its end. */
function ended(scene, id) {
  return until("an end", async () => {
    const { status } = await scene.server.ask("GET", `/v1/orders/${id}`);
    return ["completed", "failed", "needs_review"].includes(status) && status;
  }, 60_000);
}

const note = (scene, id, text) => scene.server.ask("POST", `/v1/orders/${id}/notes`, { note: text });

const refund = (scene, id) => scene.server.ask("POST", `/v1/orders/${id}/refunds`, { reason: "it broke" });

async function everyPage(scene) {
  const { completed, letters } = await someOrders(scene);
  const missing = "orders/00000000-0000-7000-8000-000000000000";
  return [...PAGES, `orders/${completed}`, `orders/${letters[0].order_id}`,
    `idempotency?key=seed-1-1`, missing, "login"];
}

/** Orders and reads that go up and down, for so many seconds: as long as charts show the demo's first orders. */
async function traffic(scene, seconds) {
  for (let second = 0; second < seconds; second++) {
    const next = new Promise((done) => setTimeout(done, 1_000));
    const count = Math.round(5 + 4 * Math.sin(second / 8));
    await Promise.all(Array.from({ length: count }, async (_, number) => {
      const order = await scene.server.ask("POST", "/v1/orders",
        { customer_id: `c${number}`, lines: [{ item_id: "tea", quantity: 1 }] });
      for (let read = 0; read < 4; read++) await scene.server.ask("GET", `/v1/orders/${order.order_id}`);
    }));
    await next;
  }
}

export const checks = [
  ["every page in both themes, for everybody (axe), with nothing inline", async (scene) => {
    let looked = 0;
    for (const colorScheme of ["light", "dark"]) {
      const { context, page, wrong } = await open(scene, { colorScheme });
      for (const path of await everyPage(scene)) {
        await page.goto(ui(scene, path));
        await page.evaluate(() => document.querySelectorAll("details").forEach((it) => { it.open = true; }));
        const inline = await page.locator("[style], style, script:not([src]), [onclick]").count();
        assert.equal(inline, 0, `${path} has something inline`);
        // Playwright puts axe into the page past the policy, which holds for the page's own code.
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => axe.run({ runOnly: [
          "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
        assert.deepEqual(violations.map((it) =>
          `${path} ${colorScheme}: ${it.id}: ${it.nodes.map((node) => node.target).join(", ")}`), []);
        looked += 1;
      }
      const expected = (it) => it.includes("status of 404");
      assert.deepEqual(wrong.filter((it) => !expected(it)), []);
      await context.close();
    }
    return `${looked} pages`;
  }],

  ["no page is wider than a phone", async (scene) => {
    const { context, page } = await open(scene, { viewport: { width: 390, height: 844 } });
    for (const path of await everyPage(scene)) {
      await page.goto(ui(scene, path));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
    }
    await context.close();
  }],

  ["nine tabs are live by one stream", async (scene) => {
    const { context, wrong } = await open(scene);
    let streams = 0;
    context.on("request", (asked) => { streams += asked.url().endsWith("/ui/live"); });
    // One that nothing moves neither listens nor says that it is live.
    const still = await context.newPage();
    await still.goto(ui(scene, "system"));
    const tabs = [];
    for (let number = 0; number < 9; number++) {
      const tab = await context.newPage();
      await tab.goto(ui(scene, PAGES[number % 4]));
      tabs.push(tab);
    }
    for (const tab of tabs) await isLive(tab);
    assert.equal(streams, 1);
    // The one that listens goes; another takes over.
    await tabs[0].close();
    await until("another stream", () => streams === 2);
    for (const tab of tabs.slice(1)) await isLive(tab);
    assert.equal(await still.locator("#connection").textContent(), "");
    assert.deepEqual(wrong, []);
    await context.close();
  }],

  ["an order is watched from placed to completed", async (scene) => {
    const { context, page, wrong } = await open(scene);
    for (let tries = 0; tries < 5; tries++) {
      const order = await scene.server.ask("POST", "/v1/orders",
        { customer_id: "watched", lines: [{ item_id: "kettle", quantity: 1 }] });
      await page.goto(ui(scene, `orders/${order.order_id}`));
      const loads = [];
      page.on("load", () => loads.push(1));
      await page.locator("#summary", { hasText: /completed|failed/ }).waitFor();
      assert.equal(loads.length, 0, "it was loaded again");
      // One in a hundred is declined.
      if (await page.locator("#timeline li", { hasText: "Completed" }).count()) {
        assert.ok(await page.locator("#timeline li").count() >= 5);
        assert.deepEqual(wrong, []);
        await context.close();
        return;
      }
    }
    throw new Error("of five orders none was completed");
  }],

  ["the time until the next try is counted down", async (scene) => {
    const { context, page, wrong } = await open(scene);
    await page.goto(ui(scene));
    // Where providers fail now and then, no order waits for long enough.
    await page.evaluate(() => {
      const left = document.createElement("small");
      left.dataset.until = new Date(Date.now() + 5_000).toISOString();
      document.querySelector("main").append(left);
    });
    for (const text of [/in [1-4] s/, "now"]) await page.locator("small[data-until]", { hasText: text }).waitFor();
    assert.deepEqual(wrong, []);
    await context.close();
  }],

  ["what happens before a page listens is not lost", async (scene) => {
    const { context, page, wrong } = await open(scene);
    for (let tries = 0; ; tries++) {
      assert.ok(tries < 5, "five orders ended before their page came");
      const { order_id } = await scene.server.ask("POST", "/v1/orders",
        { customer_id: "watched", lines: [{ item_id: "kettle", quantity: 1 }] });
      const letGo = await hold(page, "**/ui/live");
      await page.goto(ui(scene, `orders/${order_id}`));
      const shown = await page.locator("#summary .status").textContent();
      const end = await ended(scene, order_id);
      const early = shown.includes(end);
      letGo();
      if (!early) {
        await page.locator("#summary .status", { hasText: end }).waitFor({ timeout: 10_000 });
        break;
      }
      await page.unroute("**/ui/live");
    }

    // In a tab that hears by another one, and in one that takes over.
    const id = await completedOrder(scene);
    await page.goto(ui(scene, `orders/${id}`));
    await isLive(page);
    const second = await context.newPage();
    let letGo = await hold(second, "**/assets/*.js");
    await second.goto(ui(scene, `orders/${id}`), { waitUntil: "commit" });
    await second.locator("#summary").waitFor();
    await note(scene, id, "before the second listened");
    await page.locator("#timeline", { hasText: "before the second listened" }).waitFor();
    letGo();
    await second.locator("#timeline", { hasText: "before the second listened" }).waitFor({ timeout: 10_000 });
    letGo = await hold(second, "**/ui/live");
    const takesOver = second.waitForRequest("**/ui/live");
    await page.close();
    await takesOver;
    await note(scene, id, "while nobody listened");
    letGo();
    await second.locator("#timeline", { hasText: "while nobody listened" }).waitFor({ timeout: 10_000 });
    assert.deepEqual(wrong, []);
    await context.close();
  }],

  ["one answer is waited for at a time, and none overtakes another", async (scene) => {
    const { context, page } = await open(scene);
    const id = await completedOrder(scene);
    await page.goto(ui(scene, `orders/${id}`));
    await isLive(page);
    let most = 0, underWay = 0, letGo;
    const held = new Promise((done) => { letGo = done; });
    await page.route(`**/ui/orders/${id}`, async (route) => {
      underWay += 1;
      most = Math.max(most, underWay);
      const answer = await route.fetch();
      if (most === 1) await held;
      underWay -= 1;
      await route.fulfill({ response: answer });
    });
    await note(scene, id, "the first");
    await until("a fetch", () => underWay);
    await note(scene, id, "the second");
    await page.waitForTimeout(3_000);
    letGo();
    await page.locator("#timeline", { hasText: "the second" }).waitFor({ timeout: 10_000 });
    assert.equal(most, 1);
    await context.close();
  }],

  ["the keyboard keeps its place while rows change", async (scene) => {
    const { context, page } = await open(scene);
    const id = await completedOrder(scene);
    await page.goto(ui(scene, "orders?customer_id=watched"));
    await isLive(page);
    const row = page.locator(`#o${id}`);
    await row.locator("a").focus();
    await refund(scene, id);
    await row.locator(".status", { hasText: "refunded" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.closest("tr")?.id), `o${id}`);
    await context.close();
  }],

  ["what is typed stays until it is sent", async (scene) => {
    const { context, page } = await open(scene);
    const id = await completedOrder(scene);
    await page.goto(ui(scene, `orders/${id}`));
    await isLive(page);
    for (const [act, field] of [["Refund", "#why-refund"], ["Add a note", "#note"]]) {
      await page.getByText(act, { exact: true }).first().click();
      await page.locator(field).fill("half a sentence");
    }
    await page.locator("#note").blur();
    await refund(scene, id);
    await page.locator("#summary .status", { hasText: "refunded" }).waitFor();
    for (const field of ["#why-refund", "#note"])
      assert.equal(await page.locator(field).inputValue(), "half a sentence");
    assert.ok(await page.locator("#note").isVisible(), "it was closed");
    // There is nothing left to be refunded.
    await page.locator("#why-refund").fill("");
    await page.locator("#why-refund").blur();
    await until("no more refunds", async () => await page.locator("#act-refund").count() === 0);
    assert.equal(await page.locator("#note").inputValue(), "half a sentence");
    await context.close();
  }],

  ["copying is offered where it can be done, and says what came of it", async (scene) => {
    const { completed } = await someOrders(scene);
    const press = async (clipboard, says) => {
      const { context, page, wrong } = await open(scene);
      await page.addInitScript((clipboard) => Object.defineProperty(Navigator.prototype, "clipboard", {
        get: () => clipboard && { writeText: async () => { if (clipboard === "refuses") throw new Error("no"); } },
      }), clipboard);
      await page.goto(ui(scene, `orders/${completed}`));
      await isLive(page);
      const button = page.locator("#curl button");
      if (says) {
        await button.click();
        await page.locator("#curl button", { hasText: says }).waitFor({ timeout: 5_000 });
      } else assert.equal(await button.count(), 0);
      assert.deepEqual(wrong, []);
      await context.close();
    };
    await press("writes", "Copied");
    await press("refuses", "Refused");
    await press(null);
  }],

  ["rows change and come without anything shifting", async (scene) => {
    const { context, page } = await open(scene);
    await page.addInitScript(() => {
      globalThis.shifted = [];
      // New rows push the others down, or out of sight, and nothing else.
      const pushed = ({ node, previousRect: was, currentRect: is }) =>
        node?.parentElement?.matches("[data-live=rows]") &&
        (is.width === 0 || (was.x === is.x && was.width === is.width));
      new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries()) for (const it of sources) if (!pushed(it))
          globalThis.shifted.push(`${value} by ${it.node?.parentElement?.outerHTML}`);
      }).observe({ type: "layout-shift", buffered: true });
    });
    for (const path of ["", "orders"]) {
      await page.goto(ui(scene, path));
      await isLive(page);
      const rows = path ? "#orders tr" : "#newest tr";
      const first = await page.locator(rows).first().getAttribute("id");
      await until("a new row", async () => await page.locator(rows).first().getAttribute("id") !== first);
      await page.waitForTimeout(3_000);
      const shifted = await page.evaluate(() => globalThis.shifted);
      assert.deepEqual(shifted, [], path || "overview");
    }
    await context.close();
  }],

  ["rows do not move under the pointer", async (scene) => {
    const { context, page } = await open(scene);
    await page.goto(ui(scene, "orders"));
    await isLive(page);
    await page.locator("#orders tr").nth(3).hover();
    const id = await page.locator("#orders tr").nth(3).getAttribute("id");
    await page.locator("#new", { hasText: /\d+ new/ }).waitFor();
    assert.equal(await page.locator("#orders tr").nth(3).getAttribute("id"), id);
    await page.locator("#new").click();
    await until("the new rows", async () => await page.locator("#orders tr").nth(3).getAttribute("id") !== id);
    await context.close();
  }],

  ["a redrive is pressed, and the order completed", async (scene) => {
    const { context, page, wrong } = await open(scene);
    const retried = (it) => it.reason === "retries_exhausted";
    for (let tries = 0; tries < 3; tries++) {
      const letter = await until("an order that was tried too often", async () =>
        (await someOrders(scene)).letters.find(retried), 60_000);
      await page.goto(ui(scene, `orders/${letter.order_id}`));
      await page.getByText("Redrive", { exact: true }).click();
      await page.locator("#why-redrive").fill("the provider is back");
      await page.getByRole("button", { name: "Try it anew" }).click();
      await page.getByText("It is tried anew.").waitFor();
      await page.locator("#summary", { hasText: /completed|failed/ }).waitFor();
      await page.locator("#timeline", { hasText: "the provider is back" }).waitFor();
      if (await page.locator("#summary", { hasText: "completed" }).count()) {
        assert.deepEqual(wrong, []);
        await context.close();
        return;
      }
    }
    throw new Error("of three redriven orders none was completed");
  }],

  ["all letters with one reason are counted, then brought back", async (scene) => {
    const { context, page } = await open(scene);
    await someOrders(scene);
    await page.goto(ui(scene, "dead-letters"));
    await page.getByRole("button", { name: "How many?" }).first().click();
    await page.getByText(/Nothing was done. So many would be brought back: [1-9]/).waitFor();
    await page.getByRole("button", { name: /^Redrive all/ }).first().click();
    await page.getByText(/So many were brought back: [1-9]/).waitFor();
    await context.close();
  }],

  ["without a script everything can be read and done", async (scene) => {
    const { context, page } = await open(scene, { javaScriptEnabled: false });
    for (const path of ["orders", "products", "ledger", "system"]) {
      await page.goto(ui(scene, path));
      assert.ok(await page.locator("tbody tr").count() > 0, path);
    }
    const { completed } = await someOrders(scene);
    await page.goto(ui(scene, `orders/${completed}`));
    await page.getByText("Add a note").click();
    await page.locator("#note").fill("Called: deliver after five.");
    await page.getByRole("button", { name: "Add" }).click();
    await page.locator("#timeline li", { hasText: "Called: deliver after five." }).waitFor();
    await page.getByRole("button", { name: "dark" }).click();
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await context.close();
  }],

  ["it works behind a prefix", async (scene) => {
    const { context, page, wrong } = await open(scene);
    const answers = [];
    context.on("response", (answer) => answers.push(`${answer.status()} ${answer.url()}`));
    await page.goto(`${scene.prefixed}/ui`);
    await isLive(page);
    for (const name of ["Orders", "Products", "Ledger", "Dead letters", "Providers", "Idempotency", "System"]) {
      await page.getByRole("navigation").getByText(name, { exact: true }).click();
      await page.locator("h1").waitFor();
    }
    await page.goto(`${scene.prefixed}/ui/orders`);
    await page.locator("#orders a").first().click();
    await page.getByText("Add a note").click();
    await page.locator("#note").fill("behind a prefix");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByText("The note is in the timeline.").waitFor();
    assert.ok(page.url().startsWith(scene.prefixed), page.url());
    const line = await page.locator("#curl code").textContent();
    assert.ok(line.startsWith(`curl ${scene.prefixed}/v1/orders/`), line);
    assert.deepEqual(answers.filter((it) => it.startsWith("4") || it.startsWith("5")), []);
    assert.deepEqual(wrong, []);
    await context.close();
  }],

  ["a form from elsewhere is refused", async (scene) => {
    const { completed } = await someOrders(scene);
    const secret = "0123456789abcdef0123456789abcdef";
    const send = (headers) => fetch(ui(scene, `orders/${completed}/note`), {
      method: "POST",
      redirect: "manual",
      body: `csrf=${secret}&note=forged`,
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    });
    const cookie = `orderd_csrf=${secret}`;
    assert.equal((await send({})).status, 403, "without the cookie");
    assert.equal((await send({ cookie, "sec-fetch-site": "cross-site" })).status, 403, "cross-site");
    assert.equal((await send({ cookie, origin: "http://elsewhere.example" })).status, 403, "an origin");
    assert.equal((await send({ cookie, "sec-fetch-site": "same-origin" })).status, 303, "our own");
  }],

  ["the keyboard reaches the content first", async (scene) => {
    const { context, page } = await open(scene);
    await page.goto(ui(scene));
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await context.close();
  }],

  ["pages come at once, and own files are small", async (scene) => {
    const times = [];
    for (let number = 0; number < 20; number++) {
      const began = performance.now();
      await (await fetch(ui(scene))).text();
      times.push(performance.now() - began);
    }
    const median = times.sort((a, b) => a - b)[10];
    assert.ok(median <= FIRST_PAGE_MAX, `the first page took ${median} ms`);
    const html = await (await fetch(ui(scene))).text();
    let bytes = 0;
    for (const [, name] of html.matchAll(/assets\/(dashboard[^"]*)/g)) {
      const file = await fetch(ui(scene, `assets/${name}`));
      assert.match(file.headers.get("cache-control"), /immutable/);
      bytes += (await file.text()).length;
    }
    assert.ok(bytes > 1_000 && bytes <= OWN_MAX, `${bytes} bytes`);
    return `${median.toFixed(1)} ms, ${bytes} bytes`;
  }],

  ["browsers that do not read cost nothing", async (scene) => {
    const resident = () => Number(/VmRSS:\s+(\d+)/.exec(
      readFileSync(`/proc/${scene.server.process.pid}/status`, "utf8"))[1]);
    const stalled = [];
    const before = resident();
    for (let number = 0; number < 100; number++) {
      const socket = connect(scene.server.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write("GET /ui/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
      socket.pause();
      stalled.push(socket);
    }
    await new Promise((done) => setTimeout(done, 6_000));
    const grown = resident() - before;
    stalled.forEach((socket) => socket.destroy());
    assert.ok(grown < 100 * 100, `100 of them took ${grown} KiB`);
    return `${(grown / 100).toFixed(0)} KiB each`;
  }],

  ["pictures for the documentation", async (scene) => {
    if (!process.env.ORDERD_PICTURES) return "not asked for (ORDERD_PICTURES=1)";
    await traffic(scene, 125);
    const { letters } = await someOrders(scene);
    for (const colorScheme of ["light", "dark"]) {
      const { context, page } = await open(scene, { colorScheme, viewport: { width: 1200, height: 800 } });
      for (const [path, name] of [["", "overview"], [`orders/${letters[0].order_id}`, "order"],
        ["dead-letters", "dead-letters"]]) {
        await page.goto(ui(scene, path));
        await isLive(page);
        await page.screenshot({ path: `${PICTURES}${name}-${colorScheme}.png` });
      }
      await context.close();
    }
  }],

  // Last: it ends the server.
  ["a restart is lived through, and an open tab does not hold the server up", async (scene) => {
    const { context, page } = await open(scene);
    await page.goto(ui(scene, "orders"));
    await isLive(page);
    const { took, code } = await scene.server.stop();
    assert.equal(code, 0);
    assert.ok(took < ENDED_MAX, `it took ${took} ms to end`);
    await page.locator("#connection", { hasText: "reconnecting" }).waitFor();
    await scene.server.start();
    await isLive(page);
    const order = await scene.server.ask("POST", "/v1/orders",
      { customer_id: "after", lines: [{ item_id: "kettle", quantity: 1 }] });
    await page.locator(`#o${order.order_id}`).waitFor();
    await context.close();
    return `ended in ${took.toFixed(0)} ms`;
  }],
];
