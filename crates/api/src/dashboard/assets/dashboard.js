// Keeps a page of the dashboard as it is on the server. Without this script every page works the
// same, by loading it again.
"use strict";
(() => {
  const page = document.documentElement;
  const base = new URL(page.dataset.root, location.href);
  const movedBy = page.dataset.movedBy;
  const said = document.getElementById("connection");
  const more = document.getElementById("new");
  const EVERY_MS = 1000, QUIET_MS = 5000, ANSWER_MS = 10000;
  // Stale: the page may be behind the server. It is from the start, for what happened before it listened.
  let heardAt = Date.now(), fetchedAt = 0, timer = 0, busy = false, stale = true;

  // The page again, and what differs put in place. One at a time: no answer overtakes a later one.
  async function refresh() {
    timer = 0;
    stale = false;
    busy = true;
    fetchedAt = Date.now();
    let done = false;
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal });
      const text = await answer.text();
      // Too many requests, or a server in trouble: that passes. Other refusals stay.
      done = answer.status < 429;
      if (answer.ok && !answer.redirected) merge(new DOMParser().parseFromString(text, "text/html"));
    } catch {
      // The stream says that the server is away.
    }
    busy = false;
    if (!done) stale = true; // for the next tick
    else if (stale) refreshSoon();
  }

  function refreshSoon() {
    stale = true;
    if (document.hidden || busy || timer) return;
    timer = setTimeout(refresh, Math.max(0, fetchedAt + EVERY_MS - Date.now()));
  }

  function merge(next) {
    for (const now of document.querySelectorAll("[data-live]")) {
      const then = next.getElementById(now.id);
      if (then) (now.dataset.live === "rows" ? mergeRows : put)(now, then);
    }
  }

  // Rows change where they are. New ones wait while somebody points at the table or reads on.
  function mergeRows(now, then) {
    const known = (row) => now.querySelector("#" + CSS.escape(row.id));
    const rows = [...then.children];
    const fresh = rows.filter((row) => !known(row)).length;
    const held = fresh > 0 &&
      (now.matches(":hover, :focus-within") || now.getBoundingClientRect().top < 0);
    if (!held) put(now, then);
    else for (const row of rows) if (known(row)) put(known(row), row);
    stale ||= held;
    if (more) {
      more.hidden = !held;
      more.textContent = fresh + " new – show";
    }
  }

  more?.addEventListener("click", () => location.reload());

  // Makes one node like another by touching only what differs: what has the focus, is selected or
  // was opened stays. What has an id is known by it, all else by its place.
  function put(now, then) {
    if (then.nodeName === "DETAILS") then.open = now.open;
    if (now.isEqualNode(then)) return;
    if (now.nodeName !== then.nodeName) now.replaceWith(then);
    else if (now.nodeType === Node.TEXT_NODE) now.data = then.data;
    else if (now.nodeName === "FORM" && isInUse(now)) stale = true;
    else putParts(now, then);
  }

  function putParts(now, then) {
    for (const name of now.getAttributeNames()) if (!then.hasAttribute(name)) now.removeAttribute(name);
    for (const name of then.getAttributeNames()) now.setAttribute(name, then.getAttribute(name));
    let at = now.firstChild;
    for (const child of [...then.childNodes]) {
      const same = child.id ? [...now.children].find((it) => it.id === child.id) : at?.id ? null : at;
      if (!same) {
        now.insertBefore(child, at);
        continue;
      }
      while (at && at !== same) at = dropped(at);
      at &&= at.nextSibling;
      put(same, child);
    }
    while (at) at = dropped(at);
  }

  // What comes after a node that is gone. Nobody's half-filled form is taken away.
  function dropped(node) {
    const next = node.nextSibling;
    if (isInUse(node)) stale = true;
    else node.remove();
    return next;
  }

  function isInUse(node) {
    const fields = [...node.querySelectorAll?.("input, textarea") ?? []];
    return node.contains(document.activeElement) ||
      fields.some((it) => it.value !== it.defaultValue || it.checked !== it.defaultChecked);
  }

  function told(text) {
    // Whoever slept, or was cut off, heard nothing meanwhile.
    if (Date.now() - heardAt > QUIET_MS) stale = true;
    heardAt = Date.now();
    show(true);
    const { orders } = JSON.parse(text);
    const mine = !orders || movedBy === "always" ||
      (movedBy === "orders" ? orders.length > 0 : orders.includes(movedBy));
    if (stale || mine) refreshSoon();
  }

  function show(isLive) {
    const text = isLive ? "● live" : "○ reconnecting";
    if (said.textContent !== text) said.textContent = text;
    said.classList.toggle("off", !isLive);
  }

  // Over plain HTTP from afar a browser has no clipboard.
  if (navigator.clipboard) for (const line of document.querySelectorAll(".copy")) {
    const button = document.createElement("button");
    button.className = "plain";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const copied = navigator.clipboard.writeText(line.querySelector("code").textContent);
      button.textContent = await copied.then(() => "Copied", () => "Refused: select it");
    });
    line.append(button);
  }

  // What nothing moves has nothing to listen for.
  if (!movedBy) return;

  // One stream a browser: it opens six connections to a server at the most, and a page needs some.
  const name = "orderd " + base.pathname;
  const others = "BroadcastChannel" in window ? new BroadcastChannel(name) : null;
  let source = null;

  function listen() {
    source = new EventSource(new URL("live", base));
    source.addEventListener("tick", (tick) => {
      told(tick.data);
      others?.postMessage(tick.data);
    });
    // A server that is away or says no is asked again; the browser gives up on some answers.
    source.addEventListener("error", () => setTimeout(() => {
      if (source?.readyState === EventSource.CLOSED) listen();
    }, 2000));
  }

  if (others) others.onmessage = (message) => told(message.data);
  document.addEventListener("visibilitychange", () => { if (stale) refreshSoon(); });
  setInterval(() => { if (Date.now() - heardAt > QUIET_MS) show(false); }, EVERY_MS);
  if (navigator.locks && others) {
    navigator.locks.request(name, () => new Promise(listen));
  } else {
    // Without locks (plain HTTP from afar) only the tab that is seen listens.
    const seen = () => {
      source?.close();
      source = null;
      if (!document.hidden) listen();
    };
    document.addEventListener("visibilitychange", seen);
    seen();
  }

  // How long until a time, for as long as it is on the page.
  setInterval(() => {
    for (const left of document.querySelectorAll("[data-until]")) {
      const seconds = Math.ceil((Date.parse(left.dataset.until) - Date.now()) / 1000);
      left.textContent = seconds > 0 ? "in " + seconds + " s" : "now";
    }
  }, 1000);
})();
