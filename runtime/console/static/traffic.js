// The figures are drawn anew while somebody looks at them. What is drawn is the server's to
// say; what was open and focused stays so.

const live = document.getElementById("traffic-live");
const figures = document.getElementById("figures");

if (live && figures) follow();

function follow() {
  const state = document.getElementById("live-state");
  const pause = document.getElementById("live-pause");
  const every = Math.max(5, Number(live.dataset.every) || 30) * 1000;
  let paused = false;
  let timer = 0;
  live.hidden = false;

  const say = (name, text) => {
    state.dataset.state = name;
    if (state.textContent !== text) state.textContent = text;
  };

  async function ask() {
    const url = new URL(location.href);
    url.searchParams.set("fragment", "figures");
    try {
      const answer = await fetch(url, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      if (!paused) show(html);
      if (!paused) say("on", "Live");
    } catch {
      if (!paused) say("off", "Not live: trying again");
    }
  }

  function show(html) {
    const open = [...figures.querySelectorAll("details[open]")].map((d) => [d.id, d.querySelector(".rows")?.scrollTop ?? 0]);
    const focused = figures.contains(document.activeElement) ? document.activeElement : null;
    const within = focused?.closest("figure")?.id;
    const label = focused?.getAttribute("aria-label");
    const link = focused?.getAttribute("href");
    figures.innerHTML = html; // made by the server's template, which escapes what others wrote
    for (const [id, top] of open) {
      const details = document.getElementById(id);
      if (!details) continue;
      details.open = true;
      details.querySelector(".rows")?.scrollTo(0, top);
    }
    if (!focused) return;
    const place = (within && document.getElementById(within)) || figures;
    const same = [...place.querySelectorAll(focused.tagName)].filter((e) => e.getAttribute("aria-label") === label && e.getAttribute("href") === link && (e.checkVisibility?.() ?? true));
    same[0]?.focus({ preventScroll: true });
  }

  async function turn() {
    if (!document.hidden) await ask();
    if (!paused) timer = setTimeout(turn, every);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Resume" : "Pause";
    clearTimeout(timer);
    if (paused) say("paused", "Paused");
    else turn();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || paused) return;
    clearTimeout(timer);
    turn();
  });
  timer = setTimeout(turn, every);
}
