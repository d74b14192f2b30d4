// A page about one thing says when that thing has changed since it was loaded. It is not
// changed under its reader's eyes: somebody may be about to approve what they see.

const main = document.getElementById("main");
const watched = main?.querySelector("[data-watch]");
let source = null;

function concerns(entry) {
  const { watch, ticket, run } = watched.dataset;
  return entry.resource === watch || (ticket && entry.ticket === ticket) || (run && entry.run?.id === run);
}

function tell(seq) {
  stop();
  const note = document.createElement("p");
  note.className = "notice warn";
  note.id = "changed";
  note.setAttribute("role", "status");
  const link = document.createElement("a");
  link.href = location.href.split("#")[0];
  link.textContent = "Load the page again";
  note.append(`Entry ${seq} has changed this. `, link, ".");
  main.prepend(note);
}

function start() {
  if (source || document.hidden || document.getElementById("changed")) return;
  source = new EventSource(`/console/live?after=${watched.dataset.after}`);
  source.onerror = () => {
    if (source?.readyState !== EventSource.CLOSED) return; // it tries again by itself
    stop();
    setTimeout(start, 15_000);
  };
  for (const type of watched.dataset.types.split(" ")) {
    source.addEventListener(type, (event) => {
      const entry = JSON.parse(event.data);
      watched.dataset.after = entry.seq;
      if (concerns(entry)) tell(entry.seq);
    });
  }
}

function stop() {
  source?.close();
  source = null;
}

if (watched) {
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  start();
}
