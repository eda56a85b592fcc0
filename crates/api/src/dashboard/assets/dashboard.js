// Keeps a page of the dashboard as it is on the server. Without this script every page works the
// same, by loading it again.
"use strict";
(() => {
  const page = document.documentElement;
  const base = new URL(page.dataset.root, location.href);
  const movedBy = page.dataset.movedBy;
  const said = document.getElementById("connection");
  const more = document.getElementById("new");
  const EVERY_MS = 1000;
  let heardAt = Date.now(), fetchedAt = 0, timer = 0, stale = false, held = false, gone = false;

  // The page again, and what differs put in place.
  async function refresh() {
    timer = 0;
    stale = false;
    fetchedAt = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok && !answer.redirected) {
        const text = await answer.text();
        merge(new DOMParser().parseFromString(text, "text/html"));
      }
    } catch {
      // The stream says that the server is away; the next tick asks again.
    }
  }

  function refreshSoon() {
    if (document.hidden) stale = true;
    else if (!timer) timer = setTimeout(refresh, Math.max(0, fetchedAt + EVERY_MS - Date.now()));
  }

  function merge(next) {
    for (const now of document.querySelectorAll("[data-live]")) {
      const then = next.getElementById(now.id);
      if (!then || now.innerHTML === then.innerHTML) continue;
      if (now.dataset.live === "rows") mergeRows(now, then);
      // Nobody's half-filled form is taken away.
      else if (!now.contains(document.activeElement)) replace(now, then);
    }
  }

  function replace(now, then) {
    for (const open of now.querySelectorAll("details[open][id]"))
      then.querySelector("#" + CSS.escape(open.id))?.setAttribute("open", "");
    now.replaceChildren(...then.childNodes);
  }

  // Rows change where they are. New ones wait while somebody points at the table or reads on.
  function mergeRows(now, then) {
    const rows = [...then.children];
    const fresh = rows.filter((row) => !now.querySelector("#" + CSS.escape(row.id)));
    held = fresh.length > 0 &&
      (now.matches(":hover, :focus-within") || now.getBoundingClientRect().top < 0);
    if (!held) now.replaceChildren(...rows);
    else for (const row of rows) {
      const old = now.querySelector("#" + CSS.escape(row.id));
      if (old && old.innerHTML !== row.innerHTML) old.replaceWith(row);
    }
    if (more) {
      more.hidden = !held;
      more.textContent = fresh.length + " new – show";
    }
  }

  more?.addEventListener("click", () => location.reload());

  function told(text) {
    heardAt = Date.now();
    if (gone) fetchedAt = 0;
    show(true);
    const { orders } = JSON.parse(text);
    const any = orders === null || orders.length > 0;
    const mine = orders === null || orders.includes(movedBy);
    if (stale || movedBy === "always" || (movedBy === "orders" ? any || held : mine)) refreshSoon();
  }

  function show(isLive) {
    if (gone && isLive) stale = true;
    gone = !isLive;
    const text = isLive ? "● live" : "○ reconnecting";
    if (said.textContent !== text) said.textContent = text;
    said.classList.toggle("off", !isLive);
  }

  setInterval(() => { if (Date.now() - heardAt > 5000) show(false); }, 1000);

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
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    });
  }

  if (others) others.onmessage = (message) => told(message.data);
  if (!movedBy) said.textContent = "";
  if (navigator.locks && others) {
    navigator.locks.request(name, () => new Promise(listen));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && stale) refresh(); });
  } else {
    // Without locks (plain HTTP from afar) only the tab that is seen listens.
    const seen = () => {
      source?.close();
      source = null;
      if (!document.hidden) { listen(); refresh(); }
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

  for (const line of document.querySelectorAll(".copy")) {
    const button = document.createElement("button");
    button.className = "plain";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard?.writeText(line.querySelector("code").textContent);
      button.textContent = "Copied";
    });
    line.append(button);
  }
})();
