// Places an order exactly once, whatever the network does. Node 18 or later, or a browser: nothing to install.
//
//   const order = await placeOrder("http://localhost:8080", { customer_id: "ada", lines: [...] }, { key: cartId });
//
// The key names what the customer wanted, not the request: keep it with the cart *before* you call, so that
// a page that is loaded again, or a process that died, asks under the same one and gets the same order.

const TRIES = 8; // about a minute in all
const TIMEOUT_MS = 5_000; // for one try
const AFTER_MAX_S = 60; // Retry-After is heeded, but not for ever

export class Refused extends Error {
  constructor(problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem; // problem.code is what to match on
  }
}

export async function placeOrder(url, order, { key, token }) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  if (token) headers.Authorization = `Bearer ${token}`;
  const body = JSON.stringify(order); // once: every try sends the same bytes
  let problem;
  for (let tried = 0; tried < TRIES; tried++) {
    let after = 0;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const answer = await fetch(`${url}/v1/orders`, { method: "POST", headers, body, signal });
      if (answer.ok) return await answer.json();
      problem = await problemOf(answer);
      after = Math.min(Number(answer.headers.get("Retry-After")) || 0, AFTER_MAX_S);
    } catch (lost) {
      // No answer, or a torn one: the order may be there.
      problem = { code: "no_answer", detail: String(lost), retryable: true };
    }
    if (!problem.retryable) break;
    // Full jitter, so that clients that failed together do not come back together.
    const jitter = Math.random() * Math.min(10_000, 200 * 2 ** tried);
    if (tried + 1 < TRIES) await new Promise((done) => setTimeout(done, after * 1000 + jitter));
  }
  throw new Refused(problem);
}

// The problem document; where a proxy answered with a page or JSON of its own, one in its place.
async function problemOf(answer) {
  const text = await answer.text();
  try {
    const problem = JSON.parse(text);
    if (typeof problem?.code === "string") return problem;
  } catch {
    // A page: as what has no code.
  }
  const retryable = [408, 429, 500, 502, 503, 504].includes(answer.status);
  return { code: "not_ours", detail: `HTTP ${answer.status}`, retryable };
}

// In Node, `node place_order.mjs URL KEY ORDER_JSON`.
if (typeof process !== "undefined" && process.argv[1]?.endsWith("place_order.mjs")) {
  const [url, key, order] = process.argv.slice(2);
  const token = process.env.ORDERD_TOKEN;
  try {
    console.log(JSON.stringify(await placeOrder(url, JSON.parse(order), { key, token })));
  } catch (error) {
    console.error(`refused: ${error.message}`);
    process.exitCode = 1;
  }
}
