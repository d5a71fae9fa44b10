import { type PairingCode, type PairingReason, PairingRequiredError } from "./errors.js";

const MAX_BODY = 64 * 1024;
const CODES: readonly string[] = ["pairing_required", "pairing_rejected", "device_blocked"] satisfies PairingCode[];
const REASONS: readonly string[] = ["not-paired", "role-upgrade", "scope-upgrade"] satisfies PairingReason[];

// People paste the id behind a command.
const REQUEST_ID = /^[0-9a-z]{26}$/;

/** The refusal that an answer of the gateway is; undefined if it is another answer. The answer's body stays unread. */
export async function refusalOfResponse(response: Response): Promise<PairingRequiredError | undefined> {
  if (response.status !== 403) return undefined;
  const problem = await problemOf(response);
  const { code, requestId, reason } = problem;
  if (typeof code !== "string" || !CODES.includes(code)) return undefined;
  const after = Number(response.headers.get("retry-after") || Number.NaN);
  return new PairingRequiredError(
    code as PairingCode,
    typeof requestId === "string" && REQUEST_ID.test(requestId) ? requestId : undefined,
    typeof reason === "string" && REASONS.includes(reason) ? (reason as PairingReason) : undefined,
    after >= 0 ? after : undefined,
  );
}

/** Whether the gateway does not take the session token of a request, which has not reached a backend then. */
export async function isTokenRefused(response: Response): Promise<boolean> {
  if (response.status !== 401 && response.status !== 403) return false;
  const { code } = await problemOf(response);
  return code === "invalid_session_token" || code === "device_proof_required";
}

/** The refusal that the end of a WebSocket is; undefined if it ended otherwise. It names no request: an agent could name another device's, for people to approve. */
export function refusalOfClose(code: number, reason: string): PairingRequiredError | undefined {
  if (code !== 1008) return undefined;
  if (reason === "device removed" || reason === "grant revoked") return new PairingRequiredError("pairing_required");
  if (reason === "device blocked") return new PairingRequiredError("device_blocked");
  const [, what, text = ""] = /^pairing (required|rejected)(.*?)(?: \(requestId: [0-9a-z]{26}\))?$/.exec(reason) ?? [];
  if (what === undefined) return undefined;
  const why = text.includes("not approved") ? "not-paired" : text.includes("role") ? "role-upgrade" : text.includes("scopes") ? "scope-upgrade" : undefined;
  return new PairingRequiredError(`pairing_${what}` as PairingCode, undefined, why);
}

/** Whether the gateway itself, and not a backend, says to come again later. */
export function isBusy(response: Response): boolean {
  return (response.status === 503 || response.status === 429) && /^application\/problem\+json\b/i.test(response.headers.get("content-type") ?? "");
}

/** Lets go of an answer whose body nobody reads. */
export function discard(response: Response): void {
  response.body?.cancel().catch(() => {});
}

/** The members of a problem of the gateway's, or none. The answer's body stays unread. */
async function problemOf(response: Response): Promise<Record<string, unknown>> {
  // Every refusal of a device has a nonce, and the gateway takes that header out of an agent's answers: an agent could name another device's request, for people to approve.
  const isProblem = response.headers.has("device-nonce") && /^application\/problem\+json\b/i.test(response.headers.get("content-type") ?? "");
  return isProblem ? await membersOf(response.clone()) : {};
}

/** The members of an answer that is a JSON object of at most 64 KiB, or none. */
export async function membersOf(response: Response): Promise<Record<string, unknown>> {
  return asObject(await readStart(response));
}

async function readStart(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      length += value.length;
      if (length > MAX_BODY) return "";
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    return ""; // The caller meets the same failure, and as it is.
  } finally {
    // Not awaited: a clone is only cancelled once the answer itself is, too.
    reader.cancel().catch(() => {});
  }
}

function asObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
