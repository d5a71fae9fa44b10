import { alsoChoice, endChoice, scopeChoice } from "./choices.js";
import { claimOf, fill, fingerprint, foreign, h, scopeList, stateBox } from "./dom.js";
import { PagedList } from "./list.js";
import { announce, notify } from "./notices.js";
import { StableCards } from "./stable-cards.js";
import { ago, left } from "./time.js";
import { count, keyOf, list, localityInWords, problemInWords, reasonInWords } from "./words.js";

const PAGE = 50;

/** Entries that change nothing about requests. */
const OF_NO_INTEREST = new Set(["device-admitted", "admissions-left-out", "backend-refused", "backend-approved", "session-opened", "session-closed", "upgrade-refused", "refusals-left-out",
  "invitation-made", "invitation-withdrawn"]);

/** What waits for an operator: newest first to begin with, and what comes then below; always up to date, whichever view is shown. */
export class RequestsView {
  #session;
  #title;
  #onCount;
  #list;
  #cards;
  #outcomes = new Map();
  #unexplained = new Map();
  #isFirst = true;
  #expiry;
  #newer = h("button", { type: "button", hidden: true, onclick: () => this.#startAgain() });
  #state = h("div", {});
  #more = h("button", { type: "button", hidden: true, onclick: () => this.#showMore() }, "Show more");

  /**
   * @param {HTMLElement} root The section.
   * @param {import("./main.js").Session} session
   * @param {(count: number, isMore: boolean) => void} onCount Called with how many are open.
   */
  constructor(root, session, onCount) {
    this.#session = session;
    this.#title = root.querySelector("h1");
    this.#onCount = onCount;
    this.#list = new PagedList((cursor) => session.api.get("/admin/v1/requests", { limit: PAGE, cursor }), () => this.#render());
    this.#cards = new StableCards(PAGE, {
      make: (request) => new RequestCard(request, session, { isFresh: !this.#isFirst, onResolved: () => this.reload() }),
      onMove: () => this.#render(),
      onLeave: (card, next, hadFocus) => this.#leave(card, next, hadFocus),
    });
    root.append(h("div", { role: "status" }, this.#newer), this.#state, this.#cards.element, this.#more);
    fill(this.#state, stateBox("loading", "Loading…"));
    session.ended.addEventListener("abort", () => {
      clearTimeout(this.#expiry);
      this.#cards.stop();
    });
  }

  reload() {
    return this.#list.reload();
  }

  /** Something happened at the gateway. */
  take(entry) {
    if (OF_NO_INTEREST.has(entry.kind)) return;
    if (entry.requestId && entry.kind !== "request-opened") this.#learn(entry);
    this.reload();
  }

  #render() {
    const { items, problem, isLoaded, hasMore } = this.#list;
    if (isLoaded) this.#reconcile(items, hasMore);
    this.#more.hidden = !hasMore && this.#cards.held === 0;
    this.#newer.hidden = this.#cards.held === 0;
    this.#newer.textContent = `Show ${count(this.#cards.held, "newer request")}`;
    if (problem) fill(this.#state, stateBox("failed", isLoaded ? "This may be out of date" : "The requests cannot be shown", problemInWords(problem)));
    else if (items.length === 0) fill(this.#state, stateBox("empty", "Nobody is waiting", "A device that needs an operator shows up here by itself."));
    else fill(this.#state);

    this.#onCount(items.length, hasMore);
    clearTimeout(this.#expiry);
    const soonest = Math.min(...items.map((request) => new Date(request.expiresAt)));
    if (items.length > 0) this.#expiry = setTimeout(() => this.reload(), Math.max(500, soonest - Date.now() + 200));
  }

  #reconcile(requests, hasMore) {
    const isOver = (card) => !hasMore || this.#outcomes.has(card.id) || new Date(card.expiresAt) <= Date.now();
    const fresh = this.#cards.update(togetherByDevice(requests), isOver);
    this.#outcomes.clear();
    if (!this.#isFirst && fresh.length > 0) {
      const what = fresh.length === 1 ? `New request: ${reasonInWords(fresh[0]).word}, ${keyOf(fresh[0])}.` : `${fresh.length} new requests.`;
      announce(`${what} ${requests.length} open.`);
    }
    this.#isFirst = false;
  }

  #leave(card, next, hadFocus) {
    const outcome = this.#outcomes.get(card.id);
    if (!card.isDone && outcome) tellOutcome(card.role, outcome);
    else if (!card.isDone) this.#unexplained = new Map([...this.#unexplained, [card.id, card.role]].slice(-PAGE));
    if (hadFocus) (next?.querySelector("h2") ?? this.#title).focus();
  }

  /** What became of a request. The list may have been read before this was heard, and the card be gone. */
  #learn(entry) {
    const role = this.#unexplained.get(entry.requestId);
    if (role === undefined) this.#outcomes.set(entry.requestId, entry);
    else if (this.#unexplained.delete(entry.requestId)) tellOutcome(role, entry);
  }

  /** Shows the newest first again, with those that there was no room for. */
  #startAgain() {
    this.#cards.clear();
    this.#list.reload();
  }

  #showMore() {
    this.#cards.extend(PAGE);
    this.#list.more();
  }
}

/** One request, and the decision about it. */
class RequestCard {
  #session;
  #onResolved;
  #shown = "";
  #expires = h("span", {});
  #also;
  #isBusy = false;

  element;
  id;
  role;
  /** Whether it was decided here, or this has been said. */
  isDone = false;
  expiresAt;

  constructor(request, session, { isFresh, onResolved }) {
    this.id = request.id;
    this.role = keyOf(request);
    this.#session = session;
    this.#onResolved = onResolved;
    this.element = h("article", { class: isFresh ? "card request fresh" : "card request", "data-request": request.id, "aria-labelledby": `request-${request.id}` });
  }

  /**
   * Shows how it stands now. What is asked never changes; what the device holds may, how long it stays open, and what else the device asks for: that
   * it can change at any time, so it must not reset what the operator has chosen.
   */
  update({ others, ...request }) {
    const { expiresAt, ...rest } = request;
    this.expiresAt = expiresAt;
    const shown = JSON.stringify(rest);
    if (shown !== this.#shown) fill(this.element, this.#build(request));
    this.#shown = shown;
    this.#also?.offer(others);
    if (this.#expires.dataset.at !== expiresAt) fill(this.#expires, "expires ", left(expiresAt));
    this.#expires.dataset.at = expiresAt;
  }

  #build(request) {
    const { word, sentence } = reasonInWords(request);
    const added = request.newScopes;
    const covered = request.scopes.filter((scope) => !added.includes(scope));
    const choice = scopeChoice(added, () => relabel());
    const canDecide = this.#session.canDecide && added.length > 0;
    const decision = this.#session.canDecide && this.#decision(request, choice);
    const relabel = () => decision.relabel();
    return [
      h("header", { class: "card-head" },
        h("h2", { id: `request-${request.id}`, tabindex: "-1" }, h("code", { class: "role" }, keyOf(request)), h("span", { class: `tag ${request.reason}` }, word)),
        h("p", { class: "when" }, "asked ", ago(request.createdAt), h("span", { class: "sep" }, " · "), this.#expires)),
      h("p", { class: "sentence" }, sentence),
      h("dl", { class: "facts" },
        request.audience && fact("Audience", h("code", {}, request.audience)),
        fact("Device", fingerprint(request.deviceId), " ", claimOf(request.client)),
        fact("From", h("span", {}, request.address && [foreign(request.address), ", "], localityInWords(request.locality, request.address))),
        request.heldRoles && fact("Roles now", h("ul", { class: "scopes" }, request.heldRoles.map((role) => h("li", {}, h("code", {}, role))))),
        request.heldScopes && fact(["Scopes now as ", h("code", {}, request.role)], scopeList(request.heldScopes)),
        covered.length > 0 && fact("Asks for, and has", scopeList(covered)),
        fact("Asks to add", request.reason !== "scope-upgrade" && h("span", { class: "added" }, "role ", h("code", {}, request.role)),
          canDecide ? choice.element : added.length > 0 ? h("ul", { class: "scopes added" }, added.map((scope) => h("li", {}, h("code", {}, scope)))) : noneAdded(request)),
        decision && fact("For how long", decision.until),
        this.#ceiling(request)),
      decision && decision.element,
    ];
  }

  #ceiling({ audience = "default", role }) {
    const { upTo, audiences } = this.#session.me;
    if (!this.#session.canDecide) return null;
    if (audiences && !audiences.includes(audience)) return fact("Your key grants", "nothing in the audience ", h("code", {}, audience));
    if (!upTo) return null;
    const most = Object.hasOwn(upTo, role) ? upTo[role] : null; // the role is the device's word: "constructor" is no own property
    return fact("Your key grants", most ? ["at most ", scopeList(most)] : ["nothing as ", h("code", {}, role)]);
  }

  #decision(request, choice) {
    const error = h("p", { class: "error", role: "alert", hidden: true });
    const until = endChoice();
    const also = alsoChoice();
    this.#also = also;
    const approve = h("button", { type: "button", class: "primary", onclick: () => run("approve") });
    const reject = h("button", { type: "button", class: "danger quiet", onclick: () => run("reject") }, "Reject");
    const addsRole = request.reason !== "scope-upgrade";
    const all = request.newScopes.length;

    const relabel = () => {
      const chosen = choice.chosen().length;
      if (chosen === all) approve.textContent = all > 1 ? "Approve all" : "Approve";
      else approve.textContent = chosen === 0 ? "Approve the role alone" : `Approve ${chosen} of ${count(all, "scope")}`;
      approve.disabled = chosen === 0 && all > 0 && !addsRole; // there would be nothing to approve
    };

    const run = async (verb) => {
      if (this.#isBusy) return;
      this.#isBusy = true;
      this.element.setAttribute("aria-busy", "true");
      error.hidden = true;
      const chosen = choice.chosen();
      const end = until.chosen();
      const besides = also.chosen();
      const body = { ...(chosen.length < all && { scopes: chosen }), ...(end && { until: end }), ...(besides.size > 0 && { also: Object.fromEntries(besides) }) };
      try {
        await this.#session.api.post(`/admin/v1/requests/${request.id}/${verb}`, verb === "approve" && Object.keys(body).length > 0 ? body : undefined);
        this.isDone = true;
        const roles = (verb === "approve" ? [...new Set([request.role, ...besides.keys()])] : [request.role]).map((role) => keyOf({ ...request, role }));
        notify(verb === "approve" ? "Approved: " : "Rejected: ", h("code", {}, list(roles)), " for ", fingerprint(request.deviceId),
          body.scopes && verb === "approve" ? `, with ${count(chosen.length, "scope")} of ${all}.` : ".");
        this.#onResolved();
      } catch (problem) {
        if (problem.problem === "already-resolved" || problem.problem === "request-not-found") {
          this.isDone = true; // this says it already
          notify(problemInWords(problem));
          this.#onResolved();
        } else if (problem.problem !== "signed-out") {
          fill(error, problemInWords(problem));
          error.hidden = false;
        }
      } finally {
        this.#isBusy = false;
        this.element.removeAttribute("aria-busy");
      }
    };

    relabel();
    const hint = request.heldScopes?.length > 0 && h("span", { class: "hint" }, "An end holds for all that it has as ", h("code", {}, request.role), ".");
    return {
      relabel,
      until: [until.element, hint],
      element: h("footer", { class: "decide" }, error, h("div", { class: "buttons" }, approve, reject), also.element),
    };
  }
}

/** The requests, those of one device after the first of them, and each with what else its device asks for in the same audience. */
function togetherByDevice(requests) {
  const ofDevice = Map.groupBy(requests, (request) => request.deviceId);
  return [...ofDevice.values()].flatMap((all) => all.map((request) => ({ ...request, others: all.filter((other) => other !== request && other.audience === request.audience) })));
}

function tellOutcome(role, { kind, operator }) {
  const by = operator ? ` by ${operator}` : "";
  notify(`A request for ${role} was decided elsewhere: ${kind.replace("request-", "")}${by}.`);
}

function noneAdded(request) {
  return request.reason === "scope-upgrade" ? h("span", { class: "none" }, "nothing that it does not hold") : h("span", { class: "none" }, "without scopes");
}

function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}
