import { bars, line } from "./chart.js";
import { fill, foreign, h, stateBox } from "./dom.js";
import { clockOf } from "./time.js";
import { REFUSALS, count, problemInWords } from "./words.js";

const RANGES = [["last hour", 1], ["last 6 hours", 6], ["last 24 hours", 24]];
const MOST_BARS = 72;
const MOST_REQUESTS = 200; // the gateway counts no further
const LOOK_MS = 15_000;
const PAUSE_MS = 2_000;
const number = new Intl.NumberFormat("en-GB");

/** What the gateways have admitted and refused in the last hours, as small charts. It follows what happens, with a pause between two looks. */
export class OverviewView {
  #session;
  #isShown;
  #report = null;
  #drawn = "";
  #loading = null;
  #isStale = false;
  #next;
  #range = h("select", { "aria-label": "How far back", onchange: () => this.reload() },
    RANGES.map(([words, hours]) => h("option", { value: hours, selected: hours === 6 }, words)));
  #state = h("div", {});
  #charts = h("div", { class: "charts" });
  #gateways = h("ul", { class: "gateways", "aria-label": "Gateways" });
  #table = h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "The numbers" });
  #numbers = h("details", { class: "numbers", hidden: true }, h("summary", {}, "As a table"), this.#table);

  /**
   * @param {HTMLElement} root The section.
   * @param {import("./main.js").Session} session
   * @param {() => boolean} isShown Whether anybody sees it.
   */
  constructor(root, session, isShown) {
    this.#session = session;
    this.#isShown = isShown;
    root.querySelector(".view-head").append(this.#range);
    root.append(this.#state, this.#charts, this.#gateways, this.#numbers);
    const timer = setInterval(() => isShown() && this.reload(), LOOK_MS);
    session.ended.addEventListener("abort", () => {
      clearInterval(timer);
      clearTimeout(this.#next);
    });
  }

  /** Looks again. */
  reload() {
    this.#isStale = true;
    if (!this.#report) fill(this.#state, stateBox("loading", "Loading…"));
    this.#loading ??= this.#load().finally(() => { this.#loading = null; });
    return this.#loading;
  }

  /** Something happened at a gateway. */
  take() {
    if (!this.#isShown()) return;
    this.#next ??= setTimeout(() => {
      this.#next = undefined;
      if (this.#isShown()) this.reload();
    }, PAUSE_MS);
  }

  async #load() {
    while (this.#isStale) {
      this.#isStale = false;
      try {
        this.#report = await this.#session.api.get("/admin/v1/overview", { hours: this.#range.value });
        fill(this.#state, this.#report.thisGatewayAlone
          && stateBox("failed", "This gateway alone", "The registry does not answer, so what the other gateways have counted is not in these numbers."));
      } catch (problem) {
        if (problem.problem === "signed-out") return;
        fill(this.#state, stateBox("failed", this.#report ? "This may be out of date" : "The overview cannot be shown", problemInWords(problem)));
        continue;
      }
      this.#draw();
    }
  }

  #draw() {
    const drawn = JSON.stringify(this.#report);
    if (drawn === this.#drawn) return; // nothing flickers under a pointer
    this.#drawn = drawn;
    const report = this.#report;
    const parts = partsOf(report);
    fill(this.#charts, charts(report, parts));
    fill(this.#gateways, report.gateways.map((gateway) => h("li", {},
      h("strong", {}, foreign(gateway.name)), ` ${count(gateway.sessions, "session")}`, gateway.secondsAgo > 0 && `, ${gateway.secondsAgo} s ago`)));
    this.#numbers.hidden = false;
    fill(this.#table, table(parts));
  }
}

/**
 * A bar's worth of time.
 * @typedef {{from: number, until: number, runs: boolean, admissions: number, refused: number, refusals: Object<string, number>, requestsOpened: number, sessions: number,
 *   openRequests: number|null, looks: number, failures: number, milliseconds: number}} Part
 */

/** The buckets of a report, put together so that there are not more bars than one can see. */
function partsOf(report) {
  const from = Date.parse(report.from);
  const bucket = report.bucketSeconds * 1000;
  const buckets = Math.round((Date.parse(report.until) - from) / bucket);
  const each = Math.ceil(buckets / MOST_BARS);
  const parts = Array.from({ length: Math.ceil(buckets / each) }, (_, i) => ({
    from: from + i * each * bucket, until: from + (i + 1) * each * bucket, runs: false,
    admissions: 0, refused: 0, refusals: Object.create(null), requestsOpened: 0, sessions: 0, openRequests: null, looks: 0, failures: 0, milliseconds: 0,
  }));
  for (const b of report.buckets) {
    const part = parts[Math.floor((Date.parse(b.from) - from) / bucket / each)];
    if (!part) continue;
    part.runs = true;
    part.admissions += b.admissions;
    part.requestsOpened += b.requestsOpened;
    for (const [reason, times] of Object.entries(b.refusals)) {
      part.refusals[reason] = (part.refusals[reason] ?? 0) + times;
      part.refused += times;
    }
    part.sessions = Math.max(part.sessions, b.sessions);
    if (b.openRequests !== undefined) part.openRequests = Math.max(part.openRequests ?? 0, b.openRequests);
    part.looks += b.registryLooks;
    part.failures += b.registryFailures;
    part.milliseconds = Math.max(part.milliseconds, b.registryMilliseconds);
  }
  return parts;
}

function charts(report, parts) {
  const refused = sum(Object.values(report.refusals));
  const each = count((parts[0].until - parts[0].from) / 60_000, "minute");
  const looks = sum(parts.map((part) => part.looks));
  const failures = sum(parts.map((part) => part.failures));
  const slowest = Math.max(...parts.map((part) => part.milliseconds));
  const latest = report.buckets.at(-1);
  const isAway = report.thisGatewayAlone || (latest?.registryLooks > 0 && latest.registryFailures === latest.registryLooks);
  const series = (name, pick, unit = "") => {
    const values = parts.map((part) => (part.runs ? pick(part) : null));
    const best = Math.max(0, ...values.map((value) => value ?? 0));
    const at = parts[values.indexOf(best)];
    return {
      values,
      best,
      tell: (i) => `${span(parts[i])}: ${values[i] === null ? "no gateway ran" : shown(values[i]) + unit}`,
      label: `${name} from ${clockOf(report.from)} to ${clockOf(report.until)}: ${best === 0 ? "none" : `most ${shown(best)}${unit}, ${span(at)}`}`,
    };
  };
  const admissions = series("Admissions", (part) => part.admissions);
  const refusals = series("Refusals", (part) => part.refused);
  const sessions = series("Live sessions", (part) => part.sessions);
  const opened = series("Open requests", (part) => part.openRequests ?? 0);
  const answers = series("The registry’s slowest answer", (part) => part.milliseconds, " ms");
  const most = (of) => of.best > 0 && ["most in ", each, ": ", shown(of.best)];
  return [
    chart("admissions", "Admissions", shown(report.admissions), most(admissions), bars(admissions, "good"), report),
    chart("refusals", "Refusals", shown(refused), most(refusals), bars(refusals, "bad"), report),
    chart("sessions", "Live sessions", shown(report.sessions), sessions.best > 0 && `most: ${shown(sessions.best)}`, line(sessions), report),
    chart("open-requests", "Open requests", report.openRequests === undefined ? "?" : atMost(report.openRequests),
      `${shown(report.requestsOpened)} made`, line(opened), report),
    chart("registry", "Registry", isAway ? "does not answer" : "answers",
      failures > 0 ? `no answer to ${shown(failures)} of ${shown(looks)} looks` : looks > 0 ? `slowest in ${shown(slowest)} ms` : null,
      bars({
        ...answers,
        tell: (i) => answers.tell(i) + (parts[i].failures > 0 ? `; ${parts[i].failures} of ${count(parts[i].looks, "look")} without an answer` : ""),
        label: `${answers.label}; ${failures} of ${count(looks, "look")} without an answer`,
      }, "soft", (i) => parts[i].failures > 0), report, isAway),
    reasons(report, parts),
  ];
}

function chart(name, title, value, hint, drawing, report, isWrong = false) {
  return h("section", { class: `card chart${isWrong ? " wrong" : ""}`, "data-chart": name, "aria-labelledby": `chart-${name}` },
    h("h2", { id: `chart-${name}` }, title),
    h("p", { class: /^[a-z]/.test(value) ? "number word" : "number" }, value),
    h("p", { class: "hint" }, hint || ""),
    drawing,
    h("p", { class: "axis", "aria-hidden": "true" }, h("span", {}, clockOf(report.from)), h("span", {}, "now")));
}

/** A row for each reason that occurred, the most frequent first; all to one scale, so that they can be compared. */
function reasons(report, parts) {
  const order = Object.keys(REFUSALS);
  const found = Object.entries(report.refusals).sort(([a, x], [b, y]) => y - x || order.indexOf(a) - order.indexOf(b));
  const top = Math.max(1, ...parts.flatMap((part) => Object.values(part.refusals)));
  return h("section", { class: "card reasons", "aria-labelledby": "chart-reasons" },
    h("h2", { id: "chart-reasons" }, "Refusals by reason"),
    found.length === 0 ? h("p", { class: "none" }, "Nobody was refused.") : h("ul", {}, found.map(([reason, times]) => {
      const words = REFUSALS[reason] ?? reason;
      return h("li", { "data-reason": reason },
        h("span", {}, words),
        bars({
          values: parts.map((part) => (part.runs ? part.refusals[reason] ?? 0 : null)),
          top,
          tell: (i) => `${span(parts[i])}: ${shown(parts[i].refusals[reason] ?? 0)}`,
          label: `${words}: ${times} from ${clockOf(report.from)} to ${clockOf(report.until)}`,
        }, "bad"),
        h("span", { class: "sum" }, shown(times)));
    })));
}

function table(parts) {
  const heads = ["Time", "Admissions", "Refusals", "Requests made", "Open requests", "Live sessions", "Registry"];
  const rows = parts.filter((part) => part.runs).reverse();
  return h("table", {},
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((part) => h("tr", {},
      h("th", { scope: "row" }, span(part)),
      [part.admissions, part.refused, part.requestsOpened].map((value) => h("td", {}, shown(value))),
      h("td", {}, part.openRequests === null ? "?" : atMost(part.openRequests)),
      h("td", {}, shown(part.sessions)),
      h("td", {}, part.looks === 0 ? "" : part.failures > 0 ? `${part.failures} of ${part.looks} without an answer` : `${shown(part.milliseconds)} ms`)))));
}

function span(part) {
  return `${clockOf(part.from)}–${clockOf(part.until)}`;
}

function shown(value) {
  return number.format(value);
}

function atMost(requests) {
  return requests < MOST_REQUESTS ? shown(requests) : `${MOST_REQUESTS}+`;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
