import { byId, h } from "./dom.js";

const SHOWN_MS = 8_000;

/** Says what was done, or what happened, for a few seconds. */
export function notify(...words) {
  const notice = h("p", { class: "notice" }, ...words);
  byId("notices").append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
}

/** Says something to users who cannot see the page change. */
export function announce(words) {
  byId("announcer").textContent = words;
}
