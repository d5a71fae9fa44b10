import { DeviceAuthError, PairingRequiredError } from "./errors.js";
import type { DeviceKey } from "./key.js";
import { Nonces } from "./nonce.js";
import { makeProof, type ProofClaims } from "./proof.js";
import { discard, isBusy, isTokenRefused, refusalOfResponse } from "./refusal.js";
import { SESSION_ENDPOINT, type SessionOptions, SessionTokens } from "./session.js";
import { DeviceWebSocket } from "./socket.js";
import { checkOrigin, checkTarget, htuOf, originOf } from "./target.js";

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const MAX_WAIT = 60; // seconds
const PATIENCE = 10_000; // ms

export interface DeviceClientOptions extends ProofClaims {
  /** The gateway's URL: its origin is the only one that gets proofs, and relative URLs begin here. */
  readonly gateway: string | URL;

  /** The device's key: `loadBrowserKey`, `loadKeyFile` of `@proxygateway/device-auth/node`, or a signer. */
  readonly key: DeviceKey;

  /** Where session tokens take the place of proofs; nowhere unless set. */
  readonly session?: SessionOptions;

  /** Another fetch than the global one. */
  readonly fetch?: typeof fetch;

  /** Another WebSocket than the global one, which Node has since version 22. */
  readonly WebSocket?: typeof WebSocket;
}

export interface WaitOptions {
  /** Hears of each request that waits for an operator: show its `message`. */
  readonly onWaiting?: (error: PairingRequiredError) => void;
}

/** Makes requests and WebSockets as a device, to one gateway. */
export class DeviceClient {
  readonly #gateway: URL;
  readonly #key: DeviceKey;
  readonly #claims: ProofClaims;
  readonly #nonces: Nonces;
  readonly #session: SessionTokens | undefined;
  readonly #fetch: typeof fetch;
  readonly #WebSocket: typeof WebSocket | undefined;

  constructor({ gateway, key, role, scopes, client, invitation, session, fetch: fetcher, WebSocket: socket }: DeviceClientOptions) {
    this.#gateway = new URL(gateway);
    checkTarget(this.#gateway);
    this.#key = key;
    this.#claims = {
      ...(role !== undefined && { role }),
      ...(scopes !== undefined && { scopes }),
      ...(client !== undefined && { client }),
      ...(invitation !== undefined && { invitation }),
    };
    this.#fetch = fetcher ?? ((input, init) => globalThis.fetch(input, init));
    this.#WebSocket = socket;
    this.#nonces = new Nonces(originOf(this.#gateway), this.#fetch);
    this.#session = session && new SessionTokens(this.#gateway, session, (body, signal) => this.#askForToken(body, signal));
  }

  /**
   * As the global `fetch`, with a proof; it may be passed to libraries that take a `fetch`. What differs:
   *
   * - a relative URL begins at the gateway's;
   * - redirects are not followed: a redirect is an error, unless `redirect` is `"manual"`;
   * - a body that is a stream, also of a `Request`, is sent once: a nonce is asked for before it.
   *
   * @throws {PairingRequiredError} An operator has to let the device in, or does not.
   * @throws {DeviceAuthError} The URL may not get a proof, or the answer is a redirect.
   */
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const request = input instanceof Request ? input : undefined;
    // What another runtime's Request is, only that runtime knows; the global fetch would take its text for the URL.
    if (!request && typeof input === "object" && "url" in input) throw new TypeError("Not a Request of this runtime: pass its URL and options");
    const url = this.#urlOf(request ? request.url : (input as string | URL));
    const method = new Request(url, { method: init.method ?? request?.method ?? "GET" }).method;
    const isSentOnce = isStream(init.body) || (request !== undefined && init.body == null && !["GET", "HEAD"].includes(request.method));
    const options: RequestInit & { duplex?: "half" } = {
      ...init,
      ...(isStream(init.body) && { duplex: "half" }),
      redirect: "manual",
    };

    const token = isSentOnce ? undefined : this.#session?.find(url);
    const send = async (nonce: string | undefined, token?: string): Promise<Response> => {
      const headers = new Headers(init.headers ?? request?.headers);
      headers.delete(token === undefined ? "Device-Session" : "Device-Proof");
      if (token === undefined) headers.set("Device-Proof", await makeProof(this.#key, method, htuOf(url), nonce, this.#claims));
      else headers.set("Device-Session", token);
      const response = await this.#fetch(request ?? url.href, { ...options, headers });
      this.#nonces.keep(response.headers.get("device-nonce"));
      return response;
    };

    let response = await send(isSentOnce ? await this.#nonces.renew(init.signal ?? request?.signal) : this.#nonces.current, token);
    if (token !== undefined) {
      if (await isTokenRefused(response)) {
        this.#session?.refused(token);
        discard(response);
        response = await send(this.#nonces.current);
      } else {
        this.#session?.taken(token, response.headers.has("device-nonce"));
      }
    }
    if (!isSentOnce && asksForNonce(response)) {
      discard(response);
      response = await send(this.#nonces.current);
    }

    const isRedirect = response.type === "opaqueredirect" || (REDIRECTS.includes(response.status) && response.headers.has("location"));
    if (isRedirect && (init.redirect ?? request?.redirect) !== "manual") {
      discard(response);
      throw new DeviceAuthError("redirected", `${htuOf(url)} answers with a redirect, which is not followed: a proof is for one URL`);
    }
    const refusal = await refusalOfResponse(response);
    if (!refusal) return response;
    discard(response);
    throw refusal;
  };

  /**
   * Opens a WebSocket as a device. It behaves as the global `WebSocket` does. A refusal comes as its end: `refusal` of the event `close`.
   *
   * @throws {DeviceAuthError} The URL may not get a proof.
   */
  webSocket(url: string | URL, protocols: string | readonly string[] = []): DeviceWebSocket {
    const target = this.#urlOf(url);
    target.protocol = target.protocol.replace(/^http/, "ws");
    const implementation = this.#WebSocket ?? globalThis.WebSocket;
    if (!implementation) throw new DeviceAuthError("websocket_missing", "There is no global WebSocket here (Node has one since version 22): name one in the options");
    return new DeviceWebSocket(target, typeof protocols === "string" ? [protocols] : protocols, {
      nonces: this.#nonces,
      prove: (nonce) => makeProof(this.#key, "GET", htuOf(target), nonce, this.#claims),
      findRefusal: () => this.#findRefusal(target),
      WebSocket: implementation,
    });
  }

  /**
   * As `fetch`, but waits while an operator has to let the device in, and goes on by itself. Once it waits, it also outlasts a restart of the gateway.
   * End it by `signal`.
   *
   * @throws {PairingRequiredError} An operator has decided against the device.
   */
  async waitUntilPaired(input: string | URL, init: RequestInit & WaitOptions = {}): Promise<Response> {
    const { onWaiting, ...options } = init;
    let asked: string | undefined;
    for (;;) {
      let seconds = 1;
      try {
        const response = await this.fetch(input, options);
        if (asked === undefined || !isBusy(response)) return response;
        discard(response);
      } catch (error) {
        if (options.signal?.aborted) throw error;
        if (error instanceof PairingRequiredError) {
          if (!error.retryable || isStream(options.body)) throw error;
          seconds = error.retryAfter ?? seconds;
          const id = error.requestId ?? "";
          if (asked !== id) onWaiting?.(error);
          asked = id;
        } else if (asked === undefined || (error instanceof DeviceAuthError && error.code !== "nonce_unavailable")) {
          throw error;
        }
      }
      await delay(Math.min(Math.max(seconds, 1), MAX_WAIT), options.signal);
    }
  }

  async #findRefusal(url: URL): Promise<PairingRequiredError | undefined> {
    try {
      discard(await this.fetch(url, { method: "OPTIONS", signal: AbortSignal.timeout(PATIENCE) }));
    } catch (error) {
      if (error instanceof PairingRequiredError) return error;
    }
    return undefined;
  }

  async #askForToken(body: string, signal: AbortSignal): Promise<Response> {
    const url = new URL(originOf(this.#gateway) + SESSION_ENDPOINT);
    const send = async (): Promise<Response> => {
      const headers = { "Device-Proof": await makeProof(this.#key, "POST", htuOf(url), this.#nonces.current, this.#claims) };
      const response = await this.#fetch(url.href, { method: "POST", headers, body, redirect: "error", cache: "no-store", referrerPolicy: "no-referrer", signal });
      this.#nonces.keep(response.headers.get("device-nonce"));
      return response;
    };
    const response = await send();
    if (!asksForNonce(response)) return response;
    discard(response);
    return await send();
  }

  #urlOf(input: string | URL): URL {
    const url = new URL(input, this.#gateway);
    url.hash = "";
    url.protocol = url.protocol.replace(/^ws/, "http");
    checkTarget(url);
    checkOrigin(url, originOf(this.#gateway));
    return url;
  }
}

function asksForNonce(response: Response): boolean {
  return response.status === 401 && /^Device-Proof\b.*\berror="use_dpop_nonce"/i.test(response.headers.get("www-authenticate") ?? "") && response.headers.has("device-nonce");
}

/** Whether a body can be read only once. */
function isStream(body: RequestInit["body"]): boolean {
  return !(
    body == null || typeof body === "string" || body instanceof URLSearchParams || body instanceof Blob || body instanceof FormData ||
    body instanceof ArrayBuffer || ArrayBuffer.isView(body)
  );
}

function delay(seconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
