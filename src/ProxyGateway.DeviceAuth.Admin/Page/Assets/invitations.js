import { ask, tell } from "./dialog.js";
import { fill, foreign, h, scopeList, stateBox, svg } from "./dom.js";
import { PagedList } from "./list.js";
import { notify } from "./notices.js";
import { qrCode } from "./qr.js";
import { ago, left } from "./time.js";
import { count, keyOf, problemInWords } from "./words.js";

const PATH = "/admin/v1/invitations";
const LASTS = [["without end", ""], ["for 1 hour", 3600], ["for 8 hours", 28_800], ["for 1 day", 86_400], ["for 7 days", 604_800], ["for 30 days", 2_592_000]];
const EXPIRES = [["in 10 minutes", 600], ["in 1 hour", 3600], ["in 8 hours", 28_800], ["in 1 day", 86_400], ["in 7 days", 604_800], ["in 30 days", 2_592_000]];
const OF_INVITATIONS = /^invitation-|^request-approved$/;
const QUIET_ZONE = 4; // modules

/** Approvals in advance: those that can still be used, and the making of one, whose secret is shown once. */
export class InvitationsView {
  #session;
  #list;
  #state = h("div", {});
  #cards = h("div", { class: "cards" });

  /**
   * @param {HTMLElement} root The section.
   * @param {import("./main.js").Session} session
   */
  constructor(root, session) {
    this.#session = session;
    this.#list = new PagedList(() => session.api.get(PATH), () => this.#render());
    if (session.canDecide) {
      root.querySelector(".view-head").append(h("button", { type: "button", class: "primary", onclick: () => this.#invite() }, "Invite…"));
    }
    root.append(this.#state, this.#cards);
  }

  reload() {
    if (!this.#list.isLoaded) fill(this.#state, stateBox("loading", "Loading…"));
    return this.#list.reload();
  }

  /** Something happened at the gateway. */
  take(entry) {
    if (this.#list.isLoaded && OF_INVITATIONS.test(entry.kind)) this.reload();
  }

  #render() {
    const { items, problem, isLoaded } = this.#list;
    if (problem) fill(this.#state, stateBox("failed", isLoaded ? "This may be out of date" : "The invitations cannot be shown", problemInWords(problem)));
    else if (items.length === 0) fill(this.#state, stateBox("empty", "Nobody is invited", "A device with an invitation gets what it grants, without an operator at hand."));
    else fill(this.#state);
    fill(this.#cards, items.map((invitation) => this.#card(invitation)));
  }

  #card(invitation) {
    const id = `invitation-${invitation.id}`;
    return h("article", { class: "card", "aria-labelledby": id, "data-invitation": invitation.id },
      h("header", { class: "card-head" },
        h("h2", { id }, h("code", { class: "role" }, keyOf(invitation)), " ", h("span", { class: "tag" }, `used ${invitation.used} of ${invitation.uses}`)),
        h("p", { class: "when" }, "expires ", left(invitation.expiresAt))),
      h("dl", { class: "facts" },
        h("div", {}, h("dt", {}, "Scopes"), h("dd", {}, scopeList(invitation.scopes))),
        h("div", {}, h("dt", {}, "Grant lasts"), h("dd", {}, lasting(invitation.grantSeconds))),
        h("div", {}, h("dt", {}, "Made"), h("dd", {}, "by ", foreign(invitation.createdBy), " ", ago(invitation.createdAt)))),
      this.#session.canDecide && h("div", { class: "decide buttons" },
        h("button", { type: "button", class: "danger quiet", onclick: () => this.#withdraw(invitation) }, "Withdraw…")));
  }

  async #invite() {
    const field = (label, attributes) => {
      const input = h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes });
      return { input, element: h("label", { class: "field" }, label, input) };
    };
    const choice = (label, options) => {
      const select = h("select", {}, options.map(([words, value]) => h("option", { value }, words)));
      return { input: select, element: h("label", { class: "field" }, label, select) };
    };
    const address = field("Address of the agent, as devices reach it", { type: "url", placeholder: "https://gate.example/mcp" });
    const audience = field("Audience", { placeholder: "default", maxlength: 64 });
    const role = field("Role", { value: "client", required: true, maxlength: 128 });
    const scopes = field("Scopes", { placeholder: "operator.read operator.write" });
    const lasts = choice("The grant holds", LASTS);
    const uses = field("How many devices", { type: "number", value: 1, min: 1, max: 1000, required: true });
    const expires = choice("The invitation expires", EXPIRES);
    let made;
    const isDone = await ask({
      title: "Invite a device",
      body: [address, audience, role, scopes, lasts, uses, expires].map((one) => one.element),
      action: "Invite",
      run: async () => {
        made = await this.#session.api.post(PATH, {
          ...(audience.input.value.trim() && { audience: audience.input.value.trim() }),
          role: role.input.value.trim(),
          scopes: scopes.input.value.split(/[\s,]+/).filter(Boolean),
          ...(lasts.input.value && { grantSeconds: Number(lasts.input.value) }),
          uses: Number(uses.input.value),
          validSeconds: Number(expires.input.value),
        });
      },
    });
    if (!isDone) return;
    this.reload();
    await this.#show(made, address.input.value.trim());
  }

  // The secret is in the fragment, which no client sends and no proxy logs. It is in the document only while this is shown.
  #show(made, given) {
    const scopes = made.scopes.map(encodeURIComponent).join(",");
    const text = `${given || `${made.origin ?? "https://<gateway>"}/`}#invitation=${made.secret}&role=${encodeURIComponent(made.role)}&scopes=${scopes}`;
    const shown = h("input", { type: "text", readonly: true, value: text, "aria-label": "The invitation’s address", onfocus: () => shown.select() });
    const copy = navigator.clipboard && h("button", { type: "button", onclick: async () => {
      await navigator.clipboard.writeText(text);
      notify("Copied. Send it where only its receiver reads.");
    } }, "Copy");
    return tell({
      title: "The invitation, shown once",
      body: [
        h("p", {}, `${made.uses === 1 ? "A device" : count(made.uses, "device")} with this address ${made.uses === 1 ? "becomes" : "become"} `, h("code", { class: "role" }, keyOf(made)), " ", lasting(made.grantSeconds), "."),
        given && drawn(text),
        h("div", { class: "row secret" }, shown, copy),
        h("p", { class: "hint" }, given ? "On the device: scan it, or proxygateway pair '<address>'." : "Put the agent’s path between the host and the #, unless every path of the gateway leads to it."),
        h("p", { class: "hint" }, "It is as good as a key until it is used. It cannot be shown again; withdraw it if it went to a wrong place."),
      ],
    });
  }

  async #withdraw(invitation) {
    let isGone = false;
    const isDone = await ask({
      title: `Withdraw the invitation to ${keyOf(invitation)}?`,
      body: [h("ul", { class: "consequences" },
        h("li", {}, "Nobody can use it from now on, at any gateway."),
        invitation.used > 0 && h("li", {}, "Devices that used it stay. Remove them under Devices."))],
      action: "Withdraw",
      isDangerous: true,
      run: () => this.#session.api.delete(`${PATH}/${invitation.id}`),
      gaveUp: (problem) => {
        isGone = problem.problem === "invitation-not-found";
        if (isGone) notify(problemInWords(problem));
        return isGone;
      },
    });
    if (isDone) notify("The invitation is withdrawn.");
    if (isDone || isGone) this.reload();
  }
}

function lasting(seconds) {
  if (seconds === undefined) return "without end";
  for (const [unit, word] of [[86_400, "day"], [3600, "hour"], [60, "minute"]]) {
    if (seconds % unit === 0) return `for ${count(seconds / unit, word)}`;
  }
  return `for ${count(seconds, "second")}`;
}

/** Dark on light in every colour scheme: many readers know no other. */
function drawn(text) {
  let code;
  try {
    code = qrCode(text);
  } catch {
    return null; // too long; the text is there
  }
  const size = code.length + 2 * QUIET_ZONE;
  const dark = code.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z` : ""))).join("");
  return svg("svg", { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": "The same address as a QR code", "shape-rendering": "crispEdges" },
    svg("rect", { width: size, height: size, fill: "#fff" }), svg("path", { d: dark, fill: "#000" }));
}
