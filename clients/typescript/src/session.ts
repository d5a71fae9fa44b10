import { membersOf } from "./refusal.js";
import { isWithin } from "./target.js";

export const SESSION_ENDPOINT = "/.well-known/proxygateway/session";

const TOKEN = /^[A-Za-z0-9_-]{1,16384}$/;
const MAX_AGE = 270_000; // ms; a gateway's tokens last five minutes
const CHATTY = 60_000; // with fewer requests a token costs more than it saves
const PAUSE = 60_000;
const PATIENCE = 10_000;

/** Where session tokens take the place of proofs: worth it for a key that signs slowly. The gateway's routes there must allow them, and be of one audience. */
export interface SessionOptions {
  /** The audience, as the gateway's configuration names it; `default` unless set. */
  readonly audience?: string;

  /** The route's name in the gateway's configuration, whose role and scopes the token then has. */
  readonly route?: string;

  /** A token goes to this path of the gateway and below it, and nowhere else; the path of `gateway` unless set. */
  readonly path?: string;
}

/** The newest session token. One is asked for beside the requests and never waited for: without one a request has a proof, which always works. */
export class SessionTokens {
  readonly #path: string;
  readonly #wanted: string;
  readonly #ask: (body: string, signal: AbortSignal) => Promise<Response>;
  #token: string | undefined;
  #since = 0;
  #lastUse = Number.NEGATIVE_INFINITY;
  #failed = Number.NEGATIVE_INFINITY;
  #isOld = false;
  #hasHeld = false;
  #isAsking = false;

  constructor(gateway: URL, { audience = "default", route, path }: SessionOptions, ask: (body: string, signal: AbortSignal) => Promise<Response>) {
    this.#path = new URL(path ?? "", gateway).pathname;
    this.#wanted = JSON.stringify(route === undefined ? { audience } : { route });
    this.#ask = ask;
  }

  /** The token for a request; undefined: send a proof. */
  find(url: URL): string | undefined {
    if (!isWithin(url.pathname, this.#path)) return undefined;
    const now = performance.now();
    if (now - this.#since >= MAX_AGE) this.#token = undefined;
    const isChatty = now - this.#lastUse <= CHATTY;
    this.#lastUse = now;
    if (isChatty && !this.#isAsking && now - this.#failed >= PAUSE && (this.#token === undefined || this.#isOld)) void this.#renew();
    return this.#token;
  }

  /** The gateway has taken a token. `isOld`: it is past half its life, so that it is time for the next one. */
  taken(token: string, isOld: boolean): void {
    if (this.#token !== token) return;
    this.#hasHeld = true;
    this.#isOld ||= isOld;
  }

  /** The gateway has refused a token. Where none ever held, the next one is not asked for at once. */
  refused(token: string): void {
    if (this.#token !== token) return;
    this.#token = undefined;
    if (!this.#hasHeld) this.#failed = performance.now();
  }

  async #renew(): Promise<void> {
    this.#isAsking = true;
    try {
      const response = await this.#ask(this.#wanted, AbortSignal.timeout(PATIENCE));
      const { token } = response.ok ? await membersOf(response) : {};
      if (typeof token !== "string" || !TOKEN.test(token)) throw new Error("no token");
      this.#token = token;
      this.#since = performance.now();
      this.#isOld = this.#hasHeld = false;
    } catch {
      this.#failed = performance.now(); // Requests go on with proofs, and meet what is the matter.
    } finally {
      this.#isAsking = false;
    }
  }
}
