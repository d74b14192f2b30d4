// What every page has: how long ago a time was, and keys that move through a list. A page
// says all that it says without it.

const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });

function ago(then, now) {
  const seconds = Math.round((then - now) / 1000);
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return "now";
}

// tellTimes writes beside each time how long ago it was.
export function tellTimes(within = document) {
  const now = Date.now();
  for (const time of within.querySelectorAll("time[datetime]")) {
    const then = Date.parse(time.dateTime);
    if (Number.isNaN(then) || then <= 0) continue;
    let beside = time.nextElementSibling;
    if (!beside?.classList.contains("ago")) {
      beside = document.createElement("span");
      beside.className = "ago";
      time.after(" ", beside);
    }
    const text = ago(then, now);
    if (beside.textContent !== text) beside.textContent = text;
  }
}

tellTimes();
setInterval(() => { if (!document.hidden) tellTimes(); }, 20_000);

// Keys: j and k move through the page's list, Enter opens, / goes to the filters.
let place = -1;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "/") {
    const first = document.querySelector("#filters input:not([type=hidden])");
    if (!first) return;
    first.closest("details")?.setAttribute("open", "");
    first.focus();
    event.preventDefault();
    return;
  }
  if (event.key !== "j" && event.key !== "k") return;
  const items = [...document.querySelectorAll("[data-list] > li, [data-list] > tr")];
  if (!items.length) return;
  const current = items.findIndex((item) => item.contains(document.activeElement));
  if (current >= 0) place = current;
  place = Math.min(items.length - 1, Math.max(0, place + (event.key === "j" ? 1 : -1)));
  items[place].querySelector("a")?.focus();
  items[place].scrollIntoView({ block: "nearest" });
});
