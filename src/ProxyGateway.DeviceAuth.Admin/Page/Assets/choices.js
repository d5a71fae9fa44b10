import { fill, h } from "./dom.js";
import { end, hoursAhead } from "./time.js";

/** Ends that a grant can be given, in hours. */
const ENDS = [["1 hour", 1], ["8 hours", 8], ["1 day", 24], ["7 days", 7 * 24], ["30 days", 30 * 24]];

/**
 * A choice of scopes.
 * @param {string[]} scopes
 * @param {() => void} onChange
 * @returns {{element: HTMLElement, chosen: () => string[]}}
 */
export function scopeChoice(scopes, onChange = () => {}) {
  const boxes = scopes.map((scope) => h("input", { type: "checkbox", checked: true, value: scope, onchange: onChange }));
  const element = h("ul", { class: "scope-choice" },
    boxes.map((box) => h("li", {}, h("label", {}, box, h("code", {}, box.value)))));
  return { element, chosen: () => boxes.filter((box) => box.checked).map((box) => box.value) };
}

/**
 * A choice of how long something holds.
 * @param {string} [present] The end that there is.
 * @returns {{element: HTMLElement, chosen: () => string|undefined}} The end that is chosen; undefined for none.
 */
export function endChoice(present) {
  const select = h("select", { "aria-label": "For how long" },
    present && h("option", { value: "present" }, "until ", end(present).textContent, ", as it is"),
    h("option", { value: "" }, "without end"),
    ENDS.map(([words, hours]) => h("option", { value: hours }, `for ${words}`)));
  return {
    element: select,
    chosen: () => (select.value === "present" ? present : select.value === "" ? undefined : hoursAhead(Number(select.value))),
  };
}

/**
 * A choice of what a device is granted together with one of its requests: what else it asks for, and a role that it may ask for later. The device
 * can ask for more at any time; while the choice is open nothing in it moves, so that no click goes to another place than the operator meant.
 * @returns {{element: HTMLElement, offer: (others: object[]) => void, chosen: () => Map<string, string[]>}} `offer` says what else the device asks
 * for now, and leaves what is chosen as it is; `chosen` has role -> scopes.
 */
export function alsoChoice() {
  const boxes = new Map();
  let offered = [];
  const asked = h("ul", { class: "also-asked" });
  const role = h("input", { type: "text", maxlength: 128, autocomplete: "off", spellcheck: "false", placeholder: "operator" });
  const scopes = h("input", { type: "text", autocomplete: "off", spellcheck: "false", placeholder: "operator.read operator.write" });
  const summary = h("summary", {});
  const element = h("details", { class: "also", ontoggle: () => show() }, summary, asked,
    h("p", {}, h("label", {}, "Role ", role), " ", h("label", {}, "with scopes ", scopes)));

  const show = () => {
    const open = new Set(offered.map(({ id }) => id));
    for (const [id, { item }] of boxes) {
      if (open.has(id)) continue;
      item.remove();
      boxes.delete(id);
    }
    for (const other of offered.filter(({ id }) => !boxes.has(id))) {
      const box = h("input", { type: "checkbox" });
      const item = h("li", {}, h("label", {}, box, " ", h("code", {}, other.role), other.scopes.length > 0 && [" with ", h("code", {}, other.scopes.join(" "))]));
      boxes.set(other.id, { item, box, other });
      asked.append(item);
    }
  };

  const offer = (others) => {
    offered = others;
    const open = new Set(others.map(({ id }) => id));
    for (const [id, { box }] of boxes) box.disabled = !open.has(id);
    if (!element.open) show();
    fill(summary, others.length === 0 ? "Approve more for this device at once" : `This device asks for ${others.length} more: approve at once`);
  };

  const chosen = () => {
    const also = new Map();
    const add = (name, more) => also.set(name, [...new Set([...(also.get(name) ?? []), ...more])]);
    for (const { box, other } of boxes.values()) if (box.checked && !box.disabled) add(other.role, other.scopes);
    if (role.value.trim() || scopes.value.trim()) add(role.value.trim(), scopes.value.split(/[\s,]+/).filter(Boolean));
    return also;
  };
  return { element, offer, chosen };
}
