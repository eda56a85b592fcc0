// Opens the pages for people in a browser, by themselves and below a prefix: each has to show what it
// is for, ask no other host for anything, and have nothing to complain of.
import { createServer, request } from 'node:http';
import { chromium } from 'playwright-core';

const [executablePath, origin] = process.argv.slice(2);
const PREFIX = '/shop/orderd';
// Others may come first on this machine.
const PATIENCE_MS = 180_000;
const PAGES = [
  ['/docs', 'Place an order'],
  ['/problems', 'price_changed'],
  ['/problems/price-changed', 'What to do'],
];

const outside = [];
const proxy = createServer((asked, answer) => {
  if (!asked.url.startsWith(`${PREFIX}/`)) {
    outside.push(asked.url);
    answer.writeHead(404).end();
    return;
  }
  const { method, headers } = asked;
  const passed = request(origin + asked.url.slice(PREFIX.length), { method, headers }, (its) => {
    answer.writeHead(its.statusCode, its.headers);
    its.pipe(answer);
  });
  asked.pipe(passed);
});
await new Promise((listening) => proxy.listen(0, '127.0.0.1', listening));
const below = `http://127.0.0.1:${proxy.address().port}${PREFIX}`;

const args = ['--no-sandbox', '--disable-background-networking'];
const browser = await chromium.launch({ executablePath, args });
const faults = [];
for (const base of [origin, below]) {
  for (const [path, shown] of PAGES) {
    const page = await browser.newPage();
    const note = (what) => faults.push(`${base}${path}: ${what}`);
    page.on('request', (it) => {
      const { protocol, hostname } = new URL(it.url());
      if (protocol.startsWith('http') && hostname !== '127.0.0.1') note(`asks ${it.url()}`);
    });
    page.on('console', (it) => ['error', 'warning'].includes(it.type()) && note(it.text()));
    page.on('pageerror', (it) => note(it));
    await page.goto(base + path, { timeout: PATIENCE_MS });
    await page.getByText(shown).first().waitFor({ timeout: PATIENCE_MS }).catch(() => note(`shows no ${shown}`));
    // No event says that a page wants nothing more; what it loads late, it asks for within that.
    await page.waitForTimeout(1_500);
    const bar = page.getByText(/Developer Tools|Ask AI|Generate MCP|Deploy/);
    if ((await bar.count()) > 0) note('shows tools of the makers of the viewer');
    await page.close();
  }
}
await browser.close();
proxy.close();
faults.push(...outside.map((url) => `${url} is asked for outside of the prefix`));
faults.forEach((fault) => console.error(fault));
if (faults.length > 0) process.exit(1);
console.log(`${PAGES.length} pages, by themselves and below ${PREFIX}: nothing is loaded from elsewhere`);
