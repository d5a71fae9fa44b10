// What the gateway says in names, in words. The tables have no prototype: a name such as "constructor" is in none of them.

const PROBLEMS = {
  __proto__: null,
  "no-answer": "The gateway does not answer. It may be restarting, or the connection is down.",
  "not-proven": "Something else than the gateway answers at this address, or your key counts no longer. Your key was not sent. If it was replaced, sign out and use the new one.",
  "signed-out": "You have signed out.",
  "unauthorized": "This key does not count here, or no longer.",
  "host-refused": "The key is sent only to the address and port at which the gateway listens, as in http://127.0.0.1:9090. Through a tunnel, keep both: ssh -L 9090:127.0.0.1:9090.",
  "viewer-only": "Your key may look, but not decide.",
  "above-ceiling": "Your key may not grant as much as that. Grant less, or ask an operator whose key may.",
  "invalid-request": "The gateway does not understand this.",
  "request-not-found": "This request is not there any more: it expired some time ago.",
  "already-resolved": "This request was decided already.",
  "wider-than-asked": "That is more than the device asks for.",
  "until-past": "The end lies in the past. Choose a later one.",
  "held-without-end": "The device holds this role without end, and an end would take all of it away then. Approve without an end, or change the grant under Devices.",
  "label-empty": "Nothing of this name can be shown. Use letters that can be seen.",
  "device-not-found": "This device is not there any more.",
  "session-not-found": "This session is over already.",
  "invitation-not-found": "This invitation is not there any more.",
  "too-many-invitations": "Too many invitations are open. Withdraw some first.",
  "invitation-too-large": "An invitation cannot hold so many scopes.",
  "grant-not-found": "The device does not hold this role any more.",
  "precondition-failed": "Somebody else changed this device meanwhile. Nothing was done; look at it again.",
  "audit-off": "This gateway keeps no audit (Registry:AuditEntries is 0).",
  "too-many-requests": "That was too much at once. Wait a moment, and try again.",
  "registry-unavailable": "The registry is away: nothing was changed, and nobody new gets in. Try again in a moment.",
  "not-confirmed": "It was done, but may still be lost, as the registry did not confirm it. Do it again.",
  "newer-format": "A newer gateway wrote what is on record of this device. Upgrade this gateway, or use a newer one.",
  "damaged-device": "What is on record of a device cannot be read. The gateway’s log names it; remove that device.",
  "internal-error": "The gateway failed. Its log says why.",
};

/** An error, in words. What the gateway says about this very case is added where it tells more. */
export function problemInWords(problem) {
  const words = PROBLEMS[problem.problem];
  if (!words) return `The gateway refused (${problem.problem ?? problem.message}).`;
  const tellsMore = ["invalid-request", "already-resolved", "wider-than-asked", "damaged-device"].includes(problem.problem);
  return tellsMore && problem.detail ? `${words} ${problem.detail}` : words;
}

/** The role of a request, a session or an entry, with its audience unless that is the default one, which nothing names. */
export function keyOf({ audience, role }) {
  return audience ? `${audience}/${role}` : role;
}

/** Why a device has to wait: a word for it, and a sentence. */
export function reasonInWords({ reason, audience, role, heldRoles, newScopes }) {
  switch (reason) {
    case "not-paired":
      return { word: "New device", sentence: `Holds nothing yet${audience ? ` in ${audience}` : ""}, and asks to be let in as ${role}.` };
    case "role-upgrade":
      return { word: "New role", sentence: `${heldRoles ? `Holds ${list(heldRoles)}` : "Is paired"} already, and asks for the role ${role} as well.` };
    case "scope-upgrade":
      return {
        word: "More scopes",
        sentence: `Holds ${role} already, and asks for ${newScopes.length === 0 ? "scopes that it holds by now" : `${count(newScopes.length, "more scope")} in it`}.`,
      };
    default:
      return { word: reason, sentence: "" };
  }
}

const LOCALITIES = { __proto__: null, loopback: "the gateway’s own machine", network: "a network that a rule names", remote: "elsewhere" };

const LOCALITIES_IN_SHORT = { __proto__: null, loopback: "own machine", network: "known network", remote: "elsewhere" };

/** Whether the address is the gateway's own machine, and the request has a sign of a proxy or another Host, so that the client may be anywhere. */
function mayBeProxied(locality, address) {
  return locality === "remote" && (address?.startsWith("127.") || address === "::1");
}

/** Where something comes from. */
export function localityInWords(locality, address) {
  if (mayBeProxied(locality, address)) return "this machine, but through a proxy or under another name: counts as elsewhere";
  return LOCALITIES[locality] ?? locality;
}

/** The same, where there is little room. */
export function localityInShort(locality, address) {
  if (mayBeProxied(locality, address)) return "counts as elsewhere";
  return LOCALITIES_IN_SHORT[locality] ?? locality;
}

/** What happened: every kind of entry that there is, in the order in which a filter lists them. */
export const KINDS = {
  __proto__: null,
  "request-opened": "Asked",
  "request-approved": "Approved",
  "request-rejected": "Rejected",
  "request-covered": "Request covered by a grant",
  "request-expired": "Request expired",
  "device-auto-approved": "Approved by a rule",
  "device-admitted": "Admitted",
  "admissions-left-out": "More requests",
  "backend-refused": "Refused by the backend",
  "backend-approved": "Approved at the backend",
  "session-opened": "Session opened",
  "session-closed": "Session closed",
  "device-refused": "Refused",
  "upgrade-refused": "Connection refused",
  "refusals-left-out": "More refusals",
  "grant-changed": "Grant changed",
  "grant-removed": "Role taken away",
  "grant-expired": "Grant ran out",
  "device-removed": "Device removed",
  "device-blocked": "Device blocked",
  "device-unblocked": "Block lifted",
  "device-labelled": "Device named",
  "device-imported": "Device imported",
  "device-forgotten": "Device forgotten",
  "session-ended": "Session ended by an operator",
  "operator-refused": "Operator refused",
  "invitation-made": "Invitation made",
  "invitation-withdrawn": "Invitation withdrawn",
};

/** Why something was refused, in words, in the order in which equal numbers are listed. */
export const REFUSALS = {
  __proto__: null,
  "pairing-required": "An operator has to approve",
  "rejected": "Rejected by an operator",
  "blocked": "Blocked by an operator",
  "unauthorized": "No grant, and may not ask",
  "invalid": "Proved nothing",
  "replayed": "Proof used before, or outdated",
  "origin": "Page of a foreign origin",
  "busy": "At a limit of the gateway",
  "registry-unavailable": "Registry away",
  "backend": "By the backend",
  "other": "Other",
};

/** A kind of entry, in words; a newer gateway's as it is. */
export function kindInWords(kind) {
  return KINDS[kind] ?? kind;
}

/** "1 scope", "2 scopes". */
export function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

/** "a", "a and b", "a, b and c". */
export function list(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
