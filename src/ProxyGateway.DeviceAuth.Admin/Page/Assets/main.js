import { Api, Problem } from "./api.js";
import { AuditView } from "./audit.js";
import { DevicesView } from "./devices.js";
import { closeDialogs } from "./dialog.js";
import { byId, fill, h } from "./dom.js";
import { InvitationsView } from "./invitations.js";
import { Live } from "./live.js";
import { OverviewView } from "./overview.js";
import { RequestsView } from "./requests.js";
import { keepTime } from "./time.js";
import { problemInWords } from "./words.js";

/**
 * An operator who is signed in. It ends when they sign out, or when their key does not count any more.
 * @typedef {object} Session
 * @property {Api} api
 * @property {{name: string, role: "viewer"|"approver", upTo?: Object<string, string[]>, audiences?: string[]}} me
 * @property {boolean} canDecide
 * @property {AbortSignal} ended
 */

const KEY = "proxygateway.key";
const NAME = "ProxyGateway";
const LINK_STATES = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Looking every few seconds",
  away: "The gateway does not answer",
  unknown: "Something else answers here",
  failing: "The registry does not answer",
};

/** What the page consists of before anybody signs in; signing out puts it back. */
const blank = new Map(["overview", "requests", "devices", "invitations", "audit"].map((id) => [id, byId(id).cloneNode(true)]));

async function signIn(key) {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Problem(401, "unauthorized"); // it could not even be sent
  const end = new AbortController();
  let leave = () => {};
  const api = new Api(key, end.signal, () => leave(problemInWords({ problem: "unauthorized" })));
  const me = await api.get("/admin/v1/me");
  sessionStorage.setItem(KEY, key);

  leave = (words) => {
    if (end.signal.aborted) return;
    end.abort();
    signOut(words);
  };
  open({ api, me, canDecide: me.role === "approver", ended: end.signal }, leave);
}

function open(session, leave) {
  byId("sign-in").hidden = true;
  byId("bar").hidden = false;
  fill(byId("me"), h("strong", {}, session.me.name), h("span", {}, ` ${session.me.role}`));
  byId("sign-out").addEventListener("click", () => leave(), { signal: session.ended });

  let waiting = 0;
  const views = {
    overview: new OverviewView(byId("overview"), session, () => shown() === "overview" && !document.hidden),
    requests: new RequestsView(byId("requests"), session, (count, isMore) => {
      waiting = count;
      byId("count").hidden = count === 0;
      byId("count").textContent = isMore ? `${count}+` : count;
      setTitle();
    }),
    devices: new DevicesView(byId("devices"), session),
    invitations: new InvitationsView(byId("invitations"), session),
    audit: new AuditView(byId("audit"), session),
  };

  const setTitle = () => {
    const name = byId(`${shown()}-title`).textContent;
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${name} · ${NAME}`;
  };
  const show = () => {
    const id = shown();
    for (const name of Object.keys(views)) byId(name).hidden = name !== id;
    for (const link of document.querySelectorAll(".tabs a")) {
      if (link.hash === `#${id}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    setTitle();
    const what = location.hash.split("/")[1];
    if (what && views[id].find) views[id].find(what);
    else views[id].reload();
  };

  addEventListener("hashchange", () => {
    show();
    byId(`${shown()}-title`).focus();
  }, { signal: session.ended });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) views[shown()].reload();
  }, { signal: session.ended });

  keepTime(session.ended);
  show();
  byId(`${shown()}-title`).focus();
  new Live(session.api, session.ended, {
    onEntry: (entry) => Object.values(views).forEach((view) => view.take(entry)),
    onStale: () => {
      views.requests.reload();
      if (["devices", "invitations", "overview"].includes(shown())) views[shown()].reload();
    },
    onState: (state) => {
      byId("link-state").className = `link-state ${state}`;
      byId("link-state").textContent = LINK_STATES[state];
    },
  }).run();
}

function shown() {
  const id = location.hash.slice(1).split("/")[0];
  return blank.has(id) ? id : "requests";
}

/** Forgets the key and all that was shown. */
function signOut(words) {
  sessionStorage.removeItem(KEY);
  closeDialogs();
  for (const [id, section] of blank) byId(id).replaceWith(section.cloneNode(true));
  fill(byId("notices"));
  fill(byId("announcer"));
  fill(byId("me"));
  byId("bar").hidden = true;
  askForKey(words);
}

function askForKey(words) {
  document.title = NAME;
  byId("sign-in").hidden = false;
  tellKeyError(words);
  byId("key").value = "";
  byId("key").focus();
}

function tellKeyError(words) {
  byId("sign-in-error").textContent = words ?? "";
  byId("sign-in-error").hidden = !words;
}

/** Signs in; what goes wrong is said beside the field. */
async function tryKey(key) {
  const button = byId("sign-in-button");
  button.disabled = true;
  button.textContent = "Signing in…";
  tellKeyError();
  try {
    await signIn(key);
  } catch (problem) {
    if (problem.status === 401) sessionStorage.removeItem(KEY);
    byId("sign-in").hidden = false;
    tellKeyError(problemInWords(problem));
    byId("key").value = key;
    byId("key").select();
  } finally {
    button.disabled = false;
    button.textContent = "Sign in";
  }
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment says which view is shown
  byId("main").focus();
});
byId("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  tryKey(byId("key").value.trim());
});

const kept = sessionStorage.getItem(KEY);
if (kept) tryKey(kept);
else askForKey();
