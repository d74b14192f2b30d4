// New entries appear on top of the timeline. The stream of events only says that there is
// one; how it looks, and whether the filters let it through, is the server's to say.

import { tellTimes } from "./console.js";

const live = document.getElementById("live");
const list = document.getElementById("entries");
const most = 500; // entries that are kept on the page

if (live && list) follow();

function follow() {
  const state = document.getElementById("live-state");
  const pause = document.getElementById("live-pause");
  let newest = Number(live.dataset.newest);
  let source = null;
  let asking = false;
  let again = false;
  let paused = false;
  live.hidden = false;

  const say = (name, text) => {
    state.dataset.state = name;
    if (state.textContent !== text) state.textContent = text;
  };

  async function ask() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      do {
        again = false;
        const url = new URL(location.href);
        url.searchParams.set("fragment", "rows");
        url.searchParams.set("after", newest);
        const answer = await fetch(url, { headers: { Accept: "text/html" } });
        if (answer.status === 401) { stop("off", "Signed out: load the page again"); return; }
        if (answer.ok) insert(await answer.text());
        await new Promise((resolve) => setTimeout(resolve, 300)); // whatever comes meanwhile is asked for at once
      } while (again && !paused);
    } catch {
      // The stream tells when the server is back.
    } finally {
      asking = false;
    }
  }

  function insert(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html; // made by the server's template, which escapes what others wrote
    const rows = [...holder.content.querySelectorAll("li")].filter((row) => !row.id || !document.getElementById(row.id));
    if (!rows.length) return;
    for (const row of rows) {
      row.classList.add("fresh");
      newest = Math.max(newest, Number(row.dataset.seq) || 0);
    }
    list.prepend(...rows);
    document.getElementById("empty")?.remove();
    while (list.children.length > most) list.lastElementChild.remove();
    tellTimes(list);
  }

  function start() {
    if (source || paused || document.hidden) return;
    source = new EventSource(live.dataset.events);
    source.onopen = () => { say("on", "Live"); ask(); };
    source.onerror = () => {
      say("off", "Connecting…");
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      stop("off", "Not live");
      setTimeout(start, 15_000);
    };
    for (const type of live.dataset.types.split(" ")) source.addEventListener(type, ask);
  }

  function stop(name, text) {
    source?.close();
    source = null;
    say(name, text);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Resume" : "Pause";
    if (paused) stop("paused", "Paused");
    else start();
  });
  // A page that nobody looks at holds no connection.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop("off", "Not live");
    else start();
  });
  start();
}
