import { blockDevice, changeGrant, labelDevice, removeDevice, takeRole, unblockDevice } from "./device-actions.js";
import { DevicelessSessions } from "./deviceless.js";
import { claimOf, fill, fingerprint, fingerprintOf, foreign, h, scopeList, stateBox } from "./dom.js";
import { PagedList } from "./list.js";
import { show } from "./stable-cards.js";
import { ago, end, isPast } from "./time.js";
import { count, keyOf, problemInWords } from "./words.js";

const PAGE = 50;
const SESSION_PAGE = 200;
const MOST_SESSION_PAGES = 10;
const TOGETHER_MS = 250;

/** Entries that change nothing about devices. */
const OF_NO_INTEREST = new Set(["request-opened", "request-expired", "request-rejected", "device-refused", "upgrade-refused", "refusals-left-out", "operator-refused"]);

/** Devices with something approved, and blocked ones; what they hold, and taking it back. */
export class DevicesView {
  #session;
  #title;
  #list;
  #rows = new Map();
  #live = new Map();
  #wanted = null;
  #isListStale = false;
  #isSessionsStale = false;
  #timer;
  #deviceless;
  #state = h("div", {});
  #rowList = h("div", { class: "cards" });
  #noMatch = stateBox("empty", "None of these", "No device that is loaded has this in its id, its name, or a role.");
  #search = h("input", { type: "search", placeholder: "Id, name or role", "aria-label": "Search the devices that are loaded", spellcheck: "false", oninput: () => this.#find() });
  #found = h("span", { class: "hint", role: "status" });
  #more = h("button", { type: "button", hidden: true, onclick: () => this.#list.more() }, "Show more");

  /**
   * @param {HTMLElement} root The section.
   * @param {import("./main.js").Session} session
   */
  constructor(root, session) {
    this.#session = session;
    this.#title = root.querySelector("h1");
    this.#list = new PagedList((cursor) => this.#load(cursor), () => this.#render());
    root.querySelector(".view-head").append(this.#found, this.#search);
    this.#deviceless = new DevicelessSessions(session, () => this.reload());
    root.append(this.#deviceless.element, this.#state, this.#rowList, this.#noMatch, this.#more);
    this.#noMatch.hidden = true;
    fill(this.#state, stateBox("loading", "Loading…"));
    session.ended.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  reload() {
    this.#isSessionsStale = true;
    this.#later();
    return this.#list.reload();
  }

  /** Shows this device, also if the list does not reach as far. */
  find(id) {
    this.#search.value = id;
    this.#wanted = id;
    return this.reload();
  }

  /** Something happened at the gateway. */
  take(entry) {
    if ((!entry.deviceId && entry.user === undefined) || !this.#list.isLoaded || OF_NO_INTEREST.has(entry.kind)) return;
    if (entry.kind.startsWith("session-")) this.#isSessionsStale = true;
    else this.#isListStale = true;
    this.#later();
  }

  /** What comes at once is read at once: an import tells of hundreds of devices. */
  #later() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#isListStale) this.#list.reload();
      if (this.#isSessionsStale) this.#readSessions();
      this.#isListStale = this.#isSessionsStale = false;
    }, TOGETHER_MS);
  }

  async #load(cursor) {
    const api = this.#session.api;
    const wanted = cursor === null ? this.#wanted : null;
    const [page, device] = await Promise.all([api.get("/admin/v1/devices", { limit: PAGE, cursor }), wanted && this.#read(wanted)]);
    return device ? { ...page, items: [device, ...page.items] } : page;
  }

  async #read(id) {
    try {
      return await this.#session.api.get(`/admin/v1/devices/${encodeURIComponent(id)}`);
    } catch (problem) {
      if (problem.problem === "device-not-found") return null;
      throw problem;
    }
  }

  async #readSessions() {
    const live = new Map();
    const deviceless = [];
    try {
      let cursor = null;
      for (let page = 0; page < MOST_SESSION_PAGES; page++) {
        const { items, next } = await this.#session.api.get("/admin/v1/sessions", { limit: SESSION_PAGE, cursor });
        for (const item of items) {
          if (item.deviceId) live.set(item.deviceId, [...(live.get(item.deviceId) ?? []), keyOf(item)]);
          else deviceless.push(item);
        }
        if (!next) break;
        cursor = next;
      }
    } catch {
      return; // the list of devices says what is wrong
    }
    this.#live = live;
    this.#deviceless.update(deviceless);
    this.#render();
  }

  #render() {
    const { items, problem, isLoaded, hasMore } = this.#list;
    if (isLoaded) this.#reconcile(items);
    this.#more.hidden = !hasMore;
    if (problem) fill(this.#state, stateBox("failed", isLoaded ? "This may be out of date" : "The devices cannot be shown", problemInWords(problem)));
    else if (isLoaded && items.length === 0) fill(this.#state, stateBox("empty", "No devices yet", "Who is approved, by an operator or by a rule, is listed here."));
    else if (isLoaded) fill(this.#state);
    this.#filter();
  }

  #reconcile(devices) {
    const ids = new Set(devices.map((device) => device.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      const hadFocus = row.element.contains(document.activeElement);
      const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
      row.element.remove();
      this.#rows.delete(id);
      if (hadFocus) (next?.querySelector("h2") ?? this.#title).focus();
    }
    let place = this.#rowList.firstElementChild;
    for (const device of devices) {
      let row = this.#rows.get(device.id);
      if (!row) {
        row = new DeviceRow(device.id, this.#session, () => this.#live.get(device.id) ?? [], () => this.#list.reload());
        this.#rows.set(device.id, row);
      }
      show(row, device);
      if (place === row.element) place = place.nextElementSibling;
      else this.#rowList.insertBefore(row.element, place);
    }
  }

  #find() {
    this.#wanted = null;
    this.#filter();
  }

  #filter() {
    const wanted = this.#search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of this.#rows.values()) {
      row.element.hidden = !row.has(wanted);
      if (!row.element.hidden) shown++;
    }
    this.#noMatch.hidden = shown > 0 || this.#rows.size === 0;
    const all = `${count(this.#rows.size, "device")}${this.#list.hasMore ? " so far" : ""}`;
    fill(this.#found, !this.#list.isLoaded || this.#rows.size === 0 ? "" : wanted ? `${shown} of ${all}` : all);
  }
}

/** One device. */
class DeviceRow {
  #session;
  #liveRoles;
  #onChanged;
  #shown = "";
  #text = "";

  element;

  /**
   * @param {() => string[]} liveRoles The roles of its live sessions.
   * @param {() => Promise<void>} onChanged Called when the shown state is out of date.
   */
  constructor(id, session, liveRoles, onChanged) {
    this.#session = session;
    this.#liveRoles = liveRoles;
    this.#onChanged = onChanged;
    this.element = h("article", { class: "card device", "data-device": id, "aria-labelledby": `device-${id}` });
  }

  /** Whether this is in its id, its names or its roles. */
  has(text) {
    return this.#text.includes(text);
  }

  /** Shows how it stands now. */
  update(device) {
    const live = this.#liveRoles();
    const shown = JSON.stringify([device, live]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#text = [device.id, fingerprintOf(device.id), device.label, device.client.displayName, device.client.id, ...Object.keys(device.grants)].join("\n").toLowerCase();
    const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset.action : undefined;
    this.element.classList.toggle("blocked", Boolean(device.block));
    fill(this.element, this.#build(device, live));
    if (focused) (this.element.querySelector(`[data-action="${focused}"]`) ?? this.element.querySelector("h2")).focus();
  }

  #build(device, live) {
    if (device.newerFormat) return this.#buildNewer(device);
    const claim = claimOf(device.client);
    return [
      h("header", { class: "card-head" },
        h("h2", { id: `device-${device.id}`, tabindex: "-1" },
          device.label && foreign(device.label), fingerprint(device.id),
          device.block && h("span", { class: "tag blocked" }, "blocked"),
          device.legacy && h("span", { class: "tag", title: "Paired by an older gateway that kept no roles" }, "legacy"),
          live.length > 0 && h("span", { class: "tag live", title: "Sessions of this gateway" }, `${live.length} live`)),
        h("p", { class: "when" },
          device.lastSeenAt ? ["seen ", ago(device.lastSeenAt)] : "never seen", h("span", { class: "sep" }, " · "), "on record ", ago(device.createdAt))),
      claim && h("p", { class: "sentence" }, claim),
      device.block && h("p", { class: "block-note" }, "Blocked by ", foreign(device.block.by), " ", ago(device.block.at),
        device.block.reason && [": ", foreign(device.block.reason)]),
      this.#grants(device, live),
      h("footer", { class: "buttons" },
        this.#session.canDecide && [
          this.#action("label", device.label ? "Rename…" : "Name…", () => labelDevice(device, this.#session)),
          device.block
            ? this.#action("unblock", "Lift block…", () => unblockDevice(device, this.#session))
            : this.#action("block", "Block…", () => blockDevice(device, live, this.#session)),
          this.#action("remove", "Remove…", () => removeDevice(device, live, this.#session), "danger quiet"),
        ],
        h("a", { class: "button quiet", href: `#audit/${device.id}` }, "Audit")),
    ];
  }

  /** A newer gateway wrote its document: nothing else is known here, and nothing can be changed here. */
  #buildNewer(device) {
    return [
      h("header", { class: "card-head" },
        h("h2", { id: `device-${device.id}`, tabindex: "-1" }, fingerprint(device.id), h("span", { class: "tag blocked" }, "newer format"))),
      h("p", { class: "block-note" },
        `A newer gateway wrote what is on record of this device (format ${device.newerFormat}). This gateway does not admit it. Upgrade this gateway, or use a newer one.`),
      h("footer", { class: "buttons" }, h("a", { class: "button quiet", href: `#audit/${device.id}` }, "Audit")),
    ];
  }

  #grants(device, live) {
    const grants = Object.entries(device.grants);
    if (grants.length === 0) return h("p", { class: "none" }, device.legacy ? "Paired without roles." : "Holds nothing.");
    return h("ul", { class: "grants" }, grants.map(([role, grant]) => h("li", {},
      h("code", { class: "role" }, role),
      grant.scopes ? scopeList(grant.scopes) : h("span", { class: "none", title: "Paired by an older gateway that kept no scopes" }, "scopes not on record"),
      h("span", { class: "by" },
        approvers(grant), " ", ago(grant.approvedAt),
        grant.until && [", ", isPast(grant.until) ? h("strong", {}, "ended ", end(grant.until)) : ["until ", end(grant.until)]]),
      this.#session.canDecide && h("span", { class: "buttons" },
        grant.scopes && this.#action(`change ${role}`, "Narrow…", () => changeGrant(device, role, this.#session), "quiet", `Narrow ${role}`),
        this.#action(`take ${role}`, "Take away…", () => takeRole(device, role, live, this.#session), "danger quiet", `Take ${role} away`)))));
  }

  #action(name, words, run, kind = "quiet", spoken = null) {
    return h("button", {
      type: "button",
      class: kind,
      "data-action": name,
      "aria-label": spoken,
      onclick: async () => {
        if (await run()) await this.#onChanged();
      },
    }, words);
  }
}

/** Who approved a grant: whose the role is with all that is not named, and which scopes are another rule's. */
function approvers(grant) {
  const parts = grant.parts ?? { rules: {}, role: grant.rule };
  const operator = grant.parts && grant.rule ? parts.approvedBy : grant.approvedBy;
  return [
    parts.role ? ["by rule ", h("code", {}, parts.role)] : operator ? ["by ", foreign(operator)] : "imported",
    Object.entries(parts.rules).filter(([rule]) => rule !== parts.role).map(([rule, scopes]) =>
      ["; ", scopes.map((scope) => [h("code", {}, scope), " "]), "by rule ", h("code", {}, rule)]),
  ];
}
