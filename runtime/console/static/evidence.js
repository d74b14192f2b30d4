// Has a proof checked in this browser and shows each step; what is true is proof.js's to say.

import { check, maxProofBytes, parseKey, supported } from "./proof.js";

const form = document.getElementById("prove");
const result = document.getElementById("proof-result");
const status = document.getElementById("prove-status");
const origin = form.dataset.origin;
const pageKey = form.dataset.key;
const place = `auditlb-log-key:${origin}`;
const keyField = document.getElementById("prove-key");
const sources = [...form.querySelectorAll("input[name=source]")];

const icons = new Map([[true, "✓"], [false, "✗"], [null, "–"]]);
const said = new Map([[true, "right"], [false, "wrong"], [null, "not checked"]]);

function element(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children); // texts stay texts
  return e;
}

// What this browser remembers: the key that it saw first, or that somebody pasted.
function remembered() {
  try {
    const held = JSON.parse(localStorage.getItem(place));
    return typeof held?.key === "string" && typeof held.since === "string" ? held : null;
  } catch {
    return null;
  }
}

function remember(key, pasted) {
  try {
    localStorage.setItem(place, JSON.stringify({ key, pasted, since: new Date().toISOString() }));
  } catch {
    // A browser that keeps nothing checks all the same.
  }
}

function showRemembered() {
  const held = remembered();
  const text = document.getElementById("remembered-text");
  const alarm = document.getElementById("key-changed");
  if (!held) return;
  const date = held.since.slice(0, 10);
  text.textContent = held.pasted
    ? `the key that you pasted on ${date}`
    : `the key that this page had on ${date}, when this browser saw the log first: it shows whether the key has been changed since, and nothing about before`;
  const changed = held.key !== pageKey;
  alarm.hidden = !changed;
  document.getElementById("key-held").textContent = held.key;
}

function source() {
  return sources.find((s) => s.checked)?.value ?? "pasted";
}

function chooseSource() {
  keyField.closest("label").hidden = source() !== "pasted";
  document.getElementById("keep").hidden = source() !== "pasted";
  document.getElementById("own-word").hidden = source() !== "page";
}

function chosenKey() {
  switch (source()) {
    case "page": return pageKey;
    case "remembered": return remembered()?.key ?? "";
    default: return keyField.value.trim();
  }
}

async function fetchProof(seq) {
  const answer = await fetch(`/console/entries/${seq}/proof`, { headers: { Accept: "text/plain" }, redirect: "error" });
  if (answer.status === 404) throw new Error(`there is no entry ${seq}`);
  if (!answer.ok) throw new Error(`the log answered ${answer.status}`);
  if (Number(answer.headers.get("Content-Length")) > maxProofBytes) throw new Error("it is too large to be a proof");
  return new Uint8Array(await answer.arrayBuffer());
}

function show(found) {
  const steps = element("ol", { class: "steps" });
  for (const s of found.steps) {
    const state = s.ok === true ? "good" : s.ok === false ? "bad" : "none";
    const item = element("li", { class: `step ${state}`, "data-step": s.id, "data-ok": String(s.ok) },
      element("h3", {}, element("span", { class: "tick", "aria-hidden": "true" }, icons.get(s.ok)), " ", s.title, element("span", { class: "hidden" }, `: ${said.get(s.ok)}`)),
      element("p", {}, s.text));
    if (s.values.length) {
      const list = element("dl");
      for (const [name, value] of s.values) list.append(element("dt", {}, name), element("dd", {}, element("code", { class: "digest" }, value)));
      item.append(element("details", {}, element("summary", {}, "The values"), list));
    }
    steps.append(item);
  }
  const first = verdict(found);
  result.replaceChildren(first, steps, notProved(found));
  status.textContent = first.textContent;
}

function verdict(found) {
  const from = source();
  const box = element("div", { class: `notice ${found.ok ? (from === "page" ? "warn" : "good") : "bad"}`, id: "verdict", "data-ok": String(found.ok) });
  if (!found.ok) {
    box.append(element("p", {}, element("strong", {}, "Not proved. "), "At least one step is wrong: see below. Nothing of what the proof says may be relied on."));
    return box;
  }
  const e = found.entry;
  const did = [e.type, e.op, e.resource].filter((part) => typeof part === "string").join(" ");
  box.append(element("p", {}, element("strong", {}, "Proved: "), `entry ${found.seq} (${did}, by ${e.actor?.name ?? "?"} at ${String(e.time).slice(0, 19).replace("T", " ")} UTC${e.ticket ? `, under ${e.ticket}` : ""}) is in the tree of ${found.size} entries that the key signed.`));
  if (from === "page") box.append(element("p", {}, element("strong", {}, "But with this page's own key. "), "Whoever can change the log can change the key beside it, so this proves little: only that page and proof fit together."));
  if (from === "remembered" && !remembered()?.pasted) box.append(element("p", {}, "With the key that this browser saw first. If the log was honest then, it is the same log now."));
  return box;
}

function notProved(found) {
  const list = element("ul", {},
    element("li", {}, "That the log is the same for everybody. Whoever has the key can sign another history; only those who remember an earlier checkpoint see that: witnesses, Terraform states, your own copy."),
    element("li", {}, "That this page is honest. It came from the server whose log it checks. Who doesn't trust that server checks the same proof with a program of their own:"));
  const box = element("section", { class: "not-proved" }, element("h3", {}, "What this does not prove"), list, element("pre", { class: "command", tabindex: "0" }, commands(found.seq)));
  return box;
}

const commands = (seq) => `auditlb proof ${seq ?? "N"} > entry-${seq ?? "N"}.tlog-proof\nauditlb verify --public-key log.pub entry-${seq ?? "N"}.tlog-proof`;

function complain(text) {
  result.replaceChildren(element("div", { class: "notice bad", id: "verdict", "data-ok": "false" }, element("p", {}, text)));
  status.textContent = text;
}

async function run() {
  const file = document.getElementById("prove-file").files[0];
  const seq = document.getElementById("prove-entry").value.trim();
  const key = chosenKey();
  result.setAttribute("aria-busy", "true");
  result.hidden = false;
  try {
    if (!key) return complain("Paste the log's public key first, or choose another one.");
    if (!file && !/^[0-9]{1,15}$/.test(seq)) return complain("Name an entry by its number, or choose a file.");
    if (file && file.size > maxProofBytes) return complain("The file is too large to be a proof.");
    const bytes = file ? new Uint8Array(await file.arrayBuffer()) : await fetchProof(seq);
    const found = await check(bytes, key);
    if (!file && found.ok && String(found.seq) !== String(Number(seq))) return complain(`The log answered with a proof of entry ${found.seq} where entry ${seq} was asked for.`);
    show(found);
    if (found.ok && source() === "pasted" && document.getElementById("keep-key").checked && found.origin === origin) {
      remember(key, true);
      offerRemembered();
    }
    if (!file) history.replaceState(null, "", `?entry=${Number(seq)}`);
  } catch (error) {
    complain(`No proof could be had: ${error.message}.`);
  } finally {
    result.removeAttribute("aria-busy");
  }
}

function offerRemembered() {
  const own = sources.find((s) => s.value === "remembered");
  own.disabled = !remembered();
  own.closest("label").hidden = !remembered();
  showRemembered();
}

async function begin() {
  document.getElementById("without-script").hidden = true;
  if (!globalThis.crypto?.subtle || !(await supported())) {
    document.getElementById("without-crypto").hidden = false;
    document.getElementById("insecure").hidden = globalThis.isSecureContext;
    return;
  }
  let first = false;
  if (!remembered()) {
    try {
      await parseKey(pageKey);
      remember(pageKey, false);
      first = true;
    } catch {
      // Nothing to remember.
    }
  }
  document.getElementById("choose-key").hidden = false;
  document.getElementById("choose-file").hidden = false;
  offerRemembered();
  const from = !first && remembered() ? "remembered" : "pasted";
  sources.find((s) => s.value === from).checked = true;
  chooseSource();
  for (const s of sources) s.addEventListener("change", chooseSource);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  document.getElementById("trust-new").addEventListener("click", () => {
    remember(pageKey, false);
    showRemembered();
  });
  if (document.getElementById("prove-entry").value && chosenKey()) run();
}

begin();
