// Elements are made here and nowhere else, from names, attributes and text. There is no way from a string to markup.

/**
 * Makes an element.
 * @param {string} tag Its name.
 * @param {Object<string, unknown>} [attributes] Attributes; `onclick` and the like are functions; what is null or false is left out.
 * @param {...(Node|string|number|null|false|undefined|Array)} children Elements and text; what is null or false is left out.
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** Makes an element of a drawing; as `h`, without listeners. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...nodes(children));
  return element;
}

/** Puts these in place of all that is in the element. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** The element of the document that has this id. */
export function byId(id) {
  return document.getElementById(id);
}

const LONGEST_CLAIM = 80;

/**
 * What somebody else wrote, as text: it cannot turn the text around it, and is cut where nobody would read on.
 * @param {string} text
 */
export function foreign(text) {
  const letters = Array.from(text.slice(0, 2 * LONGEST_CLAIM + 2));
  const shown = letters.length > LONGEST_CLAIM ? letters.slice(0, LONGEST_CLAIM - 1).join("") + "…" : letters.join("");
  return h("bdi", { class: "foreign", dir: "auto" }, shown);
}

/** What a device says of itself, marked as such; null if it says nothing. */
export function claimOf(client) {
  const { displayName, id, mode, platform } = client ?? {};
  const kind = [id, mode !== id ? mode : null, platform].filter(Boolean);
  if (!displayName && kind.length === 0) return null;
  return h("span", { class: "claim", title: "What the device says of itself. Nobody has verified it." },
    h("span", { class: "claim-mark" }, "says"), " ",
    displayName && ["“", foreign(displayName), "”"],
    kind.map((part, i) => [displayName || i > 0 ? " · " : "", foreign(part)]));
}

/**
 * A device's fingerprint, which people compare: the first 80 bits of its id. Its id on hover. Fewer digits would not do: a key whose id begins
 * with the same eight is found in hours.
 */
export function fingerprint(id) {
  return h("code", { class: "id", title: id }, fingerprintOf(id));
}

/** The fingerprint as text. */
export function fingerprintOf(id) {
  return id.slice(0, 20).match(/.{1,4}/g)?.join("-") ?? "";
}

/** Scopes, each on its own; in words where there are none. */
export function scopeList(scopes) {
  if (scopes.length === 0) return h("span", { class: "none" }, "no scopes");
  return h("ul", { class: "scopes" }, scopes.map((scope) => h("li", {}, h("code", {}, scope))));
}

/** A heading with a line beneath, for lists that are empty, away, or not there yet. */
export function stateBox(kind, title, detail, ...more) {
  return h("div", { class: `state ${kind}`, role: kind === "failed" ? "alert" : null },
    h("p", { class: "state-title" }, title), detail && h("p", {}, detail), more);
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}
