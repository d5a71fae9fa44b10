import { h } from "./dom.js";
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
