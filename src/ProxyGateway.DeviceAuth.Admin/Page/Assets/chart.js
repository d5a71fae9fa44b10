import { svg } from "./dom.js";

const HEIGHT = 40;
const BAR = 0.78; // of the width that one has

/**
 * A number over time.
 * @typedef {object} Series
 * @property {Array<number|null>} values One for each stretch of time; null where no gateway ran.
 * @property {(index: number) => string} tell What happened in a stretch, in words.
 * @property {string} label What the whole drawing shows, in words.
 * @property {number} [top] What the full height is; the largest value, unless given.
 */

/**
 * A bar for each stretch.
 * @param {Series} series
 * @param {string} [look] The class of the bars.
 * @param {(index: number) => boolean} [isOut] Whether a stretch is marked from top to bottom.
 */
export function bars({ values, tell, label, top = most(values) }, look = "", isOut = () => false) {
  return drawing(values, tell, label, values.map((value, i) => {
    if (isOut(i)) return svg("rect", { class: "outage", x: i + (1 - BAR) / 2, y: 0, width: BAR, height: HEIGHT });
    if (!value) return null;
    const height = Math.max(2.5, (value / top) * HEIGHT); // one among thousands is seen, too
    return svg("rect", { class: `bar ${look}`, x: i + (1 - BAR) / 2, y: HEIGHT - height, width: BAR, height });
  }));
}

/**
 * A line with what is beneath it.
 * @param {Series} series
 */
export function line({ values, tell, label, top = most(values) }) {
  const runs = [];
  values.forEach((value, i) => {
    if (value === null) return;
    if (i === 0 || values[i - 1] === null) runs.push([]);
    runs.at(-1).push(i);
  });
  return drawing(values, tell, label, runs.map((run) => {
    const steps = run.map((i, n) => `${n === 0 ? "M" : "L"}${i} ${y(values[i], top)} H${i + 1}`).join(" ");
    return [
      svg("path", { class: "area", d: `${steps} V${HEIGHT} H${run[0]} Z` }),
      svg("path", { class: "line", d: steps }),
    ];
  }));
}

function y(value, top) {
  return (HEIGHT - 0.5 - (top === 0 ? 0 : (value / top) * (HEIGHT - 1.5))).toFixed(2);
}

function most(values) {
  return Math.max(0, ...values.filter((value) => value !== null));
}

function drawing(values, tell, label, shapes) {
  return svg("svg", { class: "drawing", viewBox: `0 0 ${values.length} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    values.map((value, i) => value === null && svg("rect", { class: "off", x: i, y: 0, width: 1.02, height: HEIGHT })),
    shapes,
    svg("path", { class: "base", d: `M0 ${HEIGHT} H${values.length}` }),
    values.map((_, i) => svg("rect", { class: "hit", x: i, y: 0, width: 1, height: HEIGHT }, svg("title", {}, tell(i)))));
}
