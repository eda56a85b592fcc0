// Follows what happens to orders, as it happens. Node 18 or later, or a browser.
//
//   await followEvents("http://localhost:8080", (event) => console.log(event.type, event.subject));
//
// Without a gap from the first event on; where you keep the id of the last one that you dealt with, and give it as
// `lastEventId` after a restart of your own, from that one on. What happened before is not told.
//
// A stream ends: the server restarts, a proxy tires of it. It is opened again with the id of the last event,
// and a few events from just before that come twice; so what was seen is remembered, and left out. (A
// browser's own EventSource resumes as well, but sends no token, and leaves the leaving out to you.)

const REMEMBERED = 10_000; // events; far more than come twice
const SILENCE_MS = 45_000; // a ping comes every 15 s: what is silent for longer is dead

export async function followEvents(url, told, { token, lastEventId, signal, onError = report } = {}) {
  const seen = new Set();
  for (let failed = 0; !signal?.aborted; failed++) {
    try {
      const headers = { Accept: "text/event-stream" };
      if (token) headers.Authorization = `Bearer ${token}`;
      if (lastEventId) headers["Last-Event-ID"] = lastEventId;
      for await (const { id, data } of stream(`${url}/v1/events`, headers, signal)) {
        if (!seen.has(id)) await told(JSON.parse(data));
        // Only once it was dealt with: what throws above is told again.
        seen.add(id);
        if (seen.size > REMEMBERED) seen.delete(seen.values().next().value);
        lastEventId = id;
        failed = 0;
      }
    } catch (error) {
      if (error.fatal) throw error;
      // A line that was cut, or what you threw: either way it is tried again.
      if (!signal?.aborted) onError(error);
    }
    const wait = Math.random() * Math.min(30_000, 500 * 2 ** failed);
    await new Promise((done) => setTimeout(done, wait));
  }
}

const report = (error) => console.error(`not told, and tried again: ${error?.message ?? error}`);

// The events of one connection. An event is some lines `name: value`, and an empty one.
async function* stream(url, headers, signal) {
  const silence = new AbortController();
  signal?.addEventListener("abort", () => silence.abort());
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const answer = await fetch(url, { headers, signal: silence.signal });
    const refused = [400, 401, 403, 404].includes(answer.status);
    if (!answer.ok) throw Object.assign(new Error(`HTTP ${answer.status}`), { fatal: refused });
    let text = "";
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const blocks = (text + piece).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const lines = block.split("\n").map((line) => line.match(/^(\w+): ?(.*)$/)?.slice(1));
        const event = Object.fromEntries(lines.filter(Boolean));
        if (event.id && event.data) yield event;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

// In Node, `node follow_events.mjs URL`.
if (typeof process !== "undefined" && process.argv[1]?.endsWith("follow_events.mjs")) {
  const token = process.env.ORDERD_TOKEN;
  const tell = (event) => console.log(event.id, event.type, event.subject);
  await followEvents(process.argv[2], tell, { token });
}
