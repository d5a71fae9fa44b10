import { ask } from "./dialog.js";
import { claimOf, fill, h, scopeList } from "./dom.js";
import { notify } from "./notices.js";
import { ago } from "./time.js";
import { keyOf, problemInWords } from "./words.js";

/** Live sessions of clients that have no device: a rule of the configuration admits them, so there is nothing to take away but the session. */
export class DevicelessSessions {
  #session;
  #onEnded;
  #shown = "";

  element = h("section", { class: "cards", "aria-label": "Sessions without a device", hidden: true });

  /**
   * @param {import("./main.js").Session} session
   * @param {() => void} onEnded Called when the shown state is out of date.
   */
  constructor(session, onEnded) {
    this.#session = session;
    this.#onEnded = onEnded;
  }

  /** Shows those that are live now. */
  update(sessions) {
    const shown = JSON.stringify(sessions);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset.session : undefined;
    this.element.hidden = sessions.length === 0;
    fill(this.element, sessions.map((live) => this.#card(live)));
    if (focused) this.element.querySelector(`[data-session="${focused}"]`)?.focus();
  }

  #card(live) {
    const claim = claimOf(live.client);
    return h("article", { class: "card device", "aria-labelledby": `session-${live.id}` },
      h("header", { class: "card-head" },
        h("h2", { id: `session-${live.id}` }, nameOf(live), " ", h("span", { class: "tag live", title: "A session of this gateway" }, "live")),
        h("p", { class: "when" }, "since ", ago(live.startedAt))),
      claim && h("p", { class: "sentence" }, claim),
      h("ul", { class: "grants" }, h("li", {},
        h("code", { class: "role" }, keyOf(live)),
        scopeList(live.scopes),
        h("span", { class: "by" }, "by the rule for clients without a device"))),
      this.#session.canDecide && h("footer", { class: "buttons" },
        h("button", { type: "button", class: "danger quiet", "data-session": live.id, onclick: () => this.#end(live) }, "End…")));
  }

  async #end(live) {
    let isGone = false;
    const isDone = await ask({
      title: `End the session of ${nameOf(live).toLowerCase()}?`,
      body: [h("ul", { class: "consequences" },
        h("li", {}, `It is connected as ${keyOf(live)}, and is closed now.`),
        h("li", {}, "Its client may come again at once. To keep such clients out, take DeviceAuth:Pairing:Deviceless out of the configuration."))],
      action: "End session",
      isDangerous: true,
      run: () => this.#session.api.delete(`/admin/v1/sessions/${live.id}`),
      gaveUp: (problem) => {
        isGone = problem.problem === "session-not-found";
        if (isGone) notify(problemInWords(problem));
        return isGone;
      },
    });
    if (isDone) notify("Ended the session of ", nameOf(live).toLowerCase(), ".");
    if (isDone || isGone) this.#onEnded();
  }
}

function nameOf(live) {
  return `No device, user ${live.user}`;
}
