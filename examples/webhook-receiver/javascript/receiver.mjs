// Receives orderd's webhooks: `WEBHOOK_SECRET=whsec_… node receiver.mjs 9000`. Node 18, nothing to install.
//
// What has to be right, in this order: the signature covers the bytes as they came, so verify before parsing;
// compare in constant time; refuse what is old, or whoever overheard it can send it again; and expect each
// event more than once, with the same webhook-id.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = Buffer.from((process.env.WEBHOOK_SECRET ?? "").replace(/^whsec_/, ""), "base64");
// Anybody can sign with nothing.
if (SECRET.length === 0) throw new Error("WEBHOOK_SECRET is not one: it is what `orderd webhook create` printed");
const TOLERANCE_S = 5 * 60;
const BODY_MAX = 64 * 1024;
const seen = new Set(); // in earnest: a unique column in your database, written in the transaction of what you do

function isGenuine(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": sentAt, "webhook-signature": given = "" } = headers;
  if (!/^\d{1,12}$/.test(sentAt ?? "")) return false;
  if (Math.abs(Date.now() / 1000 - Number(sentAt)) > TOLERANCE_S) return false;
  const wanted = createHmac("sha256", SECRET).update(`${id}.${sentAt}.`).update(body).digest();
  // Several, with blanks between, for a day after the secret was changed.
  return given.split(" ").some((one) => {
    const [version, signature] = one.split(",");
    const bytes = Buffer.from(signature ?? "", "base64");
    return version === "v1" && bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
  });
}

async function bodyOf(request) {
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > BODY_MAX) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function received(request) {
  if (request.method !== "POST") return 405;
  const body = await bodyOf(request);
  if (body === undefined) return 413;
  if (!isGenuine(request.headers, body)) return 401;
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) {
    const event = JSON.parse(body);
    console.log(event.type, event.subject); // what you do with it: soon, or in a queue
    seen.add(id);
  }
  return 204; // and not before it is done: all else has it sent again
}

createServer((request, response) => {
  received(request)
    .catch(() => 500)
    .then((status) => response.writeHead(status).end());
}).listen(Number(process.argv[2]), "127.0.0.1");
