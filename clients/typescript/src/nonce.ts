import { DeviceAuthError } from "./errors.js";
import { discard } from "./refusal.js";

const ENDPOINT = "/.well-known/proxygateway/nonce";
const FORM = /^[A-Za-z0-9_-]{1,128}$/;

/** The newest nonce of one gateway. Any number of proofs may have the same one. */
export class Nonces {
  readonly #gateway: string;
  readonly #fetch: typeof fetch;
  #current: string | undefined;

  /** @param gateway The gateway's origin: a nonce of another server never gets in here. */
  constructor(gateway: string, fetcher: typeof fetch) {
    this.#gateway = gateway;
    this.#fetch = fetcher;
  }

  get current(): string | undefined {
    return this.#current;
  }

  /** Keeps a nonce of the gateway's; false for what is none. */
  keep(nonce: string | null | undefined): boolean {
    if (!nonce || !FORM.test(nonce)) return false;
    this.#current = nonce;
    return true;
  }

  /** Asks for a new one: for what cannot be sent twice. */
  async renew(signal?: AbortSignal | null): Promise<string> {
    const response = await this.#fetch(this.#gateway + ENDPOINT, {
      redirect: "error",
      cache: "no-store",
      referrerPolicy: "no-referrer",
      signal: signal ?? null,
    });
    discard(response);
    const nonce = response.headers.get("device-nonce");
    if (!response.ok || !this.keep(nonce)) {
      throw new DeviceAuthError("nonce_unavailable", `${this.#gateway} gives no nonce: it answers ${response.status}`);
    }
    return nonce as string;
  }
}
