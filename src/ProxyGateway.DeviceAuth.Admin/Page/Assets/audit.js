import { claimOf, fill, fingerprint, foreign, h, scopeList, stateBox } from "./dom.js";
import { PagedList } from "./list.js";
import { moment } from "./time.js";
import { KINDS, count, keyOf, kindInWords, localityInShort, problemInWords } from "./words.js";

const PAGE = 50;
const DEVICE_ID = "[0-9a-f]{64}";

/** What happened, newest first. What comes while one reads is counted, and shown when asked for: lines that one reads do not move. */
export class AuditView {
  #list;
  #filter = {};
  #waiting = 0;
  #kind = h("select", { id: "audit-kind" }, h("option", { value: "" }, "everything"),
    Object.entries(KINDS).map(([kind, words]) => h("option", { value: kind }, words)));
  #device = h("input", { id: "audit-device", type: "text", pattern: DEVICE_ID, maxlength: 64, spellcheck: "false", autocomplete: "off", title: "A whole device id: 64 of 0-9 a-f" });
  #operator = h("input", { id: "audit-operator", type: "text", maxlength: 128, spellcheck: "false", autocomplete: "off" });
  #newer = h("button", { type: "button", hidden: true, onclick: () => this.reload() });
  #state = h("div", {});
  #entries = h("ol", { class: "entries" });
  #more = h("button", { type: "button", hidden: true, onclick: () => this.#list.more() }, "Show more");

  /**
   * @param {HTMLElement} root The section.
   * @param {import("./main.js").Session} session
   */
  constructor(root, session) {
    this.#list = new PagedList((cursor) => session.api.get("/admin/v1/audit", { limit: PAGE, cursor, ...this.#filter }), () => this.#render());
    const form = h("form", { class: "filters" },
      h("label", { for: "audit-kind" }, "What"), this.#kind,
      h("label", { for: "audit-device" }, "Device"), this.#device,
      h("label", { for: "audit-operator" }, "Operator"), this.#operator,
      h("span", { class: "buttons" }, h("button", { type: "submit" }, "Filter"), h("button", { type: "reset", class: "quiet" }, "Clear")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#apply();
    });
    form.addEventListener("reset", () => setTimeout(() => this.#apply())); // once the fields are empty
    this.#kind.addEventListener("change", () => form.requestSubmit());
    root.append(form, h("div", { role: "status" }, this.#newer), this.#state, this.#entries, this.#more);
  }

  /** Starts again at the newest. */
  reload() {
    this.#waiting = 0;
    if (!this.#list.isLoaded) fill(this.#state, stateBox("loading", "Loading…"));
    return this.#list.restart();
  }

  /** Shows what is about this device. */
  find(device) {
    this.#device.value = device;
    this.#apply();
  }

  /** Something happened at the gateway. */
  take(entry) {
    const { kind, device, operator } = this.#filter;
    if (!this.#list.isLoaded || (kind && kind !== entry.kind) || (device && device !== entry.deviceId) || (operator && operator !== entry.operator)) return;
    this.#waiting++;
    this.#tellNewer();
  }

  #apply() {
    this.#filter = { kind: this.#kind.value, device: this.#device.value.trim().toLowerCase(), operator: this.#operator.value.trim() };
    this.reload();
  }

  #tellNewer() {
    this.#newer.hidden = this.#waiting === 0;
    this.#newer.textContent = `Show ${this.#waiting} newer`;
  }

  #render() {
    const { items, problem, isLoaded, hasMore } = this.#list;
    const isFiltered = Object.values(this.#filter).some(Boolean);
    this.#more.hidden = !hasMore;
    this.#tellNewer();
    if (problem) fill(this.#state, stateBox("failed", isLoaded ? "This may be out of date" : "The audit cannot be shown", problemInWords(problem)));
    else if (items.length === 0) fill(this.#state, stateBox("empty", isFiltered ? (hasMore ? "Nothing like this among the newest" : "Nothing like this on record") : "Nothing has happened yet"));
    else fill(this.#state);
    fill(this.#entries, items.map(lineOf));
  }
}

/** One that cannot be shown says so, and takes no other along. */
function lineOf(entry) {
  try {
    return line(entry);
  } catch (error) {
    reportError(error);
    return h("li", { class: "entry no" }, `The entry ${entry.id} cannot be shown here. The command line can show it.`);
  }
}

function line(entry) {
  return h("li", { class: `entry ${severityOf(entry.kind)}` },
    h("span", { class: "at" }, moment(entry.time)),
    h("span", { class: "kind" }, kindInWords(entry.kind), entry.uncertain && h("span", { class: "tag", title: "The registry gave no answer: it may or may not have been written" }, "uncertain")),
    h("span", { class: "what" }, parts(entry)),
    h("span", { class: "whence" }, entry.address && foreign(entry.address), entry.locality && h("span", {}, localityInShort(entry.locality, entry.address))));
}

function parts(entry) {
  const claim = claimOf(entry.client);
  return [
    entry.deviceId && h("a", { href: `#devices/${entry.deviceId}` }, fingerprint(entry.deviceId)),
    entry.user !== undefined && `no device, user ${entry.user}`,
    entry.role && ["as ", h("code", { class: "role" }, keyOf(entry))],
    entry.scopes && scopeList(entry.scopes),
    entry.moreScopes && `and ${count(entry.moreScopes, "more scope")}`,
    entry.count && `${entry.count} within a minute, not listed each`,
    entry.operator && ["by ", h("strong", {}, foreign(entry.operator))],
    entry.rule && ["by rule ", h("code", {}, entry.rule)],
    entry.until && ["until ", moment(entry.until)],
    entry.reason && h("span", { class: "why" }, foreign(entry.reason)),
    entry.closeCode && h("span", { class: "hint" }, "closed with ", entry.closeCode),
    entry.note && ["“", foreign(entry.note), "”"],
    claim,
  ].filter(Boolean).map((part) => h("span", {}, part));
}

/** What an eye that runs over the list should stop at. */
function severityOf(kind) {
  if (/refused|removed|rejected|blocked$|session-ended/.test(kind) && kind !== "device-unblocked") return "no";
  if (/approved|admitted|unblocked/.test(kind)) return "yes";
  return "";
}
