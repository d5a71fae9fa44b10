import { endChoice, scopeChoice } from "./choices.js";
import { ask } from "./dialog.js";
import { fill, fingerprint, foreign, h } from "./dom.js";
import { notify } from "./notices.js";
import { count, list, problemInWords } from "./words.js";

// Each asks first, and says what will happen. Nothing is done to a device that another operator has changed meanwhile. Each gives back whether
// the device is not any more as it was shown.

/**
 * @typedef {import("./main.js").Session} Session
 * @typedef {string[]} Live The roles of a device's live sessions of this gateway.
 */

/** Removes a device. */
export function removeDevice(device, live, session) {
  const roles = Object.keys(device.grants);
  return change({
    title: ["Remove ", nameOf(device), "?"],
    body: [
      h("ul", { class: "consequences" },
        h("li", {}, closes("Its sessions", live.length)),
        roles.length > 0 && h("li", {}, `It loses ${roles.length === 1 ? "its role" : "its roles"} ${list(roles)}.`),
        h("li", {}, "It may ask again, and then an operator decides: no rule pairs it any more."),
        device.block && h("li", {}, "The block stays.")),
    ],
    action: "Remove device",
    isDangerous: true,
    run: () => session.api.delete(pathOf(device), device.version),
    done: ["Removed ", nameOf(device), "."],
  });
}

/** Takes a role away: `role`, or `audience/role`. */
export function takeRole(device, role, live, session) {
  return change({
    title: ["Take ", h("code", {}, role), " away from ", nameOf(device), "?"],
    body: [
      h("ul", { class: "consequences" },
        h("li", {}, closes(`Its sessions as ${role}`, live.filter((used) => used === role).length)),
        h("li", {}, "It may ask for the role again, and then an operator decides: no rule gives it back.")),
    ],
    action: "Take away",
    isDangerous: true,
    run: () => session.api.delete(grantPathOf(device, role), device.version),
    done: ["Took ", h("code", {}, role), " away from ", nameOf(device), "."],
  });
}

/** Takes scopes of a role away, or sets the end of it. */
export function changeGrant(device, role, session) {
  const grant = device.grants[role];
  const effect = h("p", { class: "hint", role: "status" });
  const scopes = scopeChoice(grant.scopes, () => tell());
  const until = endChoice(grant.until);
  const tell = () => {
    const lost = grant.scopes.length - scopes.chosen().length;
    fill(effect, lost === 0
      ? "It keeps its scopes."
      : `It loses ${count(lost, "scope")}. Sessions that use what it loses are closed now, at every gateway, and no rule gives it back.`);
  };
  tell();
  return change({
    title: ["Narrow ", h("code", {}, role), " of ", nameOf(device)],
    body: [
      grant.scopes.length > 0
        ? h("fieldset", {}, h("legend", {}, "It keeps"), scopes.element)
        : h("p", {}, "It holds the role without scopes."),
      h("label", { class: "row" }, "Holds ", until.element),
      effect,
    ],
    action: "Save",
    run: () => session.api.put(grantPathOf(device, role),
      { scopes: scopes.chosen(), until: until.chosen() }, device.version),
    done: ["Changed ", h("code", {}, role), " of ", nameOf(device), "."],
  });
}

/** Keeps a device out. */
export function blockDevice(device, live, session) {
  const reason = h("input", { type: "text", maxlength: 100, autocomplete: "off" });
  return change({
    title: ["Block ", nameOf(device), "?"],
    body: [
      h("ul", { class: "consequences" },
        h("li", {}, closes("Its sessions", live.length)),
        h("li", {}, "It is refused from now on, and cannot even ask."),
        h("li", {}, "It keeps what it holds, for when the block is lifted.")),
      h("label", { class: "field" }, "Why, for other operators (optional)", reason),
    ],
    action: "Block device",
    isDangerous: true,
    run: () => session.api.put(`${pathOf(device)}/block`, reason.value.trim() ? { reason: reason.value } : {}, device.version),
    done: ["Blocked ", nameOf(device), "."],
  });
}

/** Lets a device in again. */
export function unblockDevice(device, session) {
  const roles = Object.keys(device.grants);
  return change({
    title: ["Lift the block of ", nameOf(device), "?"],
    body: [h("p", {}, roles.length > 0 ? `It may connect again at once, as ${list(roles)}.` : "It may ask again, and then an operator decides.")],
    action: "Lift block",
    run: () => session.api.delete(`${pathOf(device)}/block`, device.version),
    done: ["Lifted the block of ", nameOf(device), "."],
  });
}

/** Gives a device a name, or takes it away. */
export function labelDevice(device, session) {
  const name = h("input", { type: "text", maxlength: 100, autocomplete: "off", value: device.label ?? "" });
  return change({
    title: ["Name ", fingerprint(device.id)],
    body: [
      h("label", { class: "field" }, "Name", name),
      h("p", { class: "hint" }, "Operators see it in place of what the device says of itself. Leave it empty for none."),
    ],
    action: "Save",
    run: () => (name.value.trim()
      ? session.api.put(`${pathOf(device)}/label`, { label: name.value }, device.version)
      : session.api.delete(`${pathOf(device)}/label`, device.version)),
    done: ["Named ", fingerprint(device.id), "."],
  });
}

async function change({ done, ...asked }) {
  let wasChanged = false;
  const isDone = await ask({
    ...asked,
    gaveUp: (problem) => {
      wasChanged = ["precondition-failed", "device-not-found", "grant-not-found"].includes(problem.problem);
      if (wasChanged) notify(problemInWords(problem));
      return wasChanged;
    },
  });
  if (isDone) notify(...done);
  return isDone || wasChanged;
}

function nameOf(device) {
  return device.label ? foreign(device.label) : fingerprint(device.id);
}

// A grant of any audience but the default one has the audience before the role, as in the path.
function grantPathOf(device, key) {
  return `${pathOf(device)}/grants/${key.split("/").map(encodeURIComponent).join("/")}`;
}

function pathOf(device) {
  return `/admin/v1/devices/${device.id}`;
}

function closes(which, here) {
  return `${which} are closed now${here > 0 ? `: ${here} here, and those at other gateways` : ", at every gateway"}.`;
}
