const CONTEXT = "proxygateway admin proof 1";
const PATIENCE_MS = 20_000;
const encoder = new TextEncoder();

/**
 * Who answers at this address: the gateway, which knows the key, somebody who does not, or a gateway that listens at another address or port. The
 * key is not sent for that: both sides show an HMAC over the address and a nonce, keyed by the key's SHA-256, and the page speaks first.
 * @param {string} key
 * @param {AbortSignal} ended
 * @returns {Promise<"gateway"|"stranger"|"elsewhere">}
 * @throws {TypeError} Nobody answers.
 */
export async function whoAnswers(key, ended) {
  const secret = await crypto.subtle.importKey("raw", await crypto.subtle.digest("SHA-256", encoder.encode(key)),
    { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const nonce = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const address = location.protocol === "https:" ? location.origin : location.host;
  const proofOf = async (speaker) =>
    base64url(new Uint8Array(await crypto.subtle.sign("HMAC", secret, encoder.encode([CONTEXT, speaker, address, nonce].join("\n")))));

  const response = await fetch("/admin/v1/proof", {
    method: "POST",
    body: JSON.stringify({ nonce, proof: await proofOf("client") }),
    headers: { "Content-Type": "application/json" },
    signal: AbortSignal.any([ended, AbortSignal.timeout(PATIENCE_MS)]),
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
  });
  if (response.status === 429 || response.status >= 500) throw new TypeError(`status ${response.status}`);
  if (response.status === 403) return "elsewhere";
  const answer = response.ok ? await response.json().catch(() => null) : null;
  return answer?.proof === await proofOf("gateway") ? "gateway" : "stranger";
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
