// Keeps what moves on a page as it is at the worker. Without this script the page is the same, and stands still.
// data-events: where the parts come from; each part replaces the element of its id.
(() => {
  "use strict";
  const root = document.querySelector("[data-events]");
  if (!root || !window.EventSource) return;
  const SPEAK_EVERY = 10000, TRY_AGAIN = 60000, FETCH_AFTER = 1000;
  const told = document.getElementById("told"), lost = document.getElementById("lost");
  let source = null, since = root.dataset.since, words = "", spokenAt = 0, speaking = 0, trying = 0, fetching = 0;

  // A screen reader hears the newest sentence, and none sooner than ten seconds after the one before.
  const speak = (text) => {
    if (text === words) return;
    words = text;
    if (speaking) return;
    speaking = setTimeout(() => {
      speaking = 0;
      spokenAt = Date.now();
      told.textContent = words;
    }, Math.max(0, spokenAt + SPEAK_EVERY - Date.now()));
  };

  // Buttons stand in the page with the token of its session; the state says which of them are there.
  const arrange = (state) => {
    for (const one of document.querySelectorAll("[data-when]")) {
      const hadFocus = one.contains(document.activeElement);
      one.hidden = !one.dataset.when.split(" ").includes(state);
      if (one.hidden && hadFocus) document.getElementById("main").focus();
    }
  };

  // What was unfolded stays so, and the focus where it was, if that is there still.
  const renew = (before, after) => {
    const unfolded = new Set([...before.querySelectorAll("details[open]")].map((one) => one.parentElement.textContent));
    const name = (one) => one.getAttribute("href") ?? one.getAttribute("aria-label") ?? one.textContent;
    const focused = before.contains(document.activeElement) ? name(document.activeElement) : null;
    before.replaceWith(after);
    for (const one of after.querySelectorAll("details")) one.open = unfolded.has(one.parentElement.textContent);
    const links = focused === null ? [] : [...after.querySelectorAll("a, button, summary")];
    links.find((one) => name(one) === focused)?.focus();
  };

  const put = ([place, html]) => {
    const before = document.getElementById(place);
    if (!before) return false;
    const made = document.createElement("template");
    made.innerHTML = html;
    const after = made.content.firstElementChild;
    renew(before, after);
    if (after.dataset.say) speak(after.dataset.say);
    if (after.dataset.state) arrange(after.dataset.state);
    return true;
  };

  // What has data-again holds forms, which belong to a session and are in no part, or rows that are new here: it is
  // taken out of the page itself. The header says that no person asks.
  const again = async () => {
    try {
      const answer = await fetch(location.href, {headers: {"X-Asked-By": "script"}, redirect: "error"});
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const before of document.querySelectorAll("[data-again]")) renew(before, page.getElementById(before.id));
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
    fetching = 0;
  };

  const open = () => {
    if (source || document.hidden) return;
    const address = new URL(root.dataset.events, location.href);
    address.searchParams.set("since", since);
    source = new EventSource(address);
    source.onopen = () => { lost.hidden = true; };
    source.onmessage = (event) => {
      since = event.lastEventId;
      const missing = JSON.parse(event.data).filter((part) => !put(part));
      if (missing.length) fetching ||= setTimeout(again, FETCH_AFTER);
    };
    source.onerror = () => {
      lost.hidden = false;
      if (source.readyState !== EventSource.CLOSED) return;
      close();
      trying = setTimeout(open, TRY_AGAIN);
    };
  };

  // A browser holds six connections to a page's server: one that nobody looks at gives its own back.
  const close = () => {
    clearTimeout(trying);
    source?.close();
    source = null;
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
})();
