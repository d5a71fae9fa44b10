import { whoAnswers } from "./proof.js";

/** An error in the words of RFC 9457, or none at all because nobody answered. */
export class Problem extends Error {
  /**
   * @param {number} status The status; 0 if there was no answer.
   * @param {string} name What is its own in the type, as in `already-resolved`.
   * @param {string} [detail] What it is about here.
   * @param {number} [retryAfter] Seconds to wait, where the gateway says so.
   */
  constructor(status, name, detail, retryAfter) {
    super(name);
    this.status = status;
    this.problem = name;
    this.detail = detail;
    this.retryAfter = retryAfter;
  }

  /** Whether the same may work in a while, without anybody changing it. */
  get mayPass() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const PREFIX = "urn:proxygateway:problem:";
const PATIENCE_MS = 20_000;
const PROOF_HOLDS_MS = 1_000; // for what is asked at the same moment
const PROOF_HOLDS_WHILE_LISTENING_MS = 20_000; // the stream of events has a sign of life every 15 s

/**
 * The operators' endpoints, asked with one key. The port is anybody's while the gateway is down: the key is sent only while a stream that the
 * gateway has opened lives, or right after it has shown anew that it knows the key.
 */
export class Api {
  #proven = { until: 0, before: false };
  #proving = null;
  #listening = false;
  #key;
  #ended;
  #onUnauthorized;

  /**
   * @param {string} key The operator's key.
   * @param {AbortSignal} ended When the operator signs out.
   * @param {() => void} [onUnauthorized] The key does not count, or no longer.
   */
  constructor(key, ended, onUnauthorized = () => {}) {
    this.#key = key;
    this.#ended = ended;
    this.#onUnauthorized = onUnauthorized;
  }

  /** Reads. What is undefined, null or empty in the query is left out. */
  get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
    const search = new URLSearchParams(given).toString();
    return this.#json("GET", path + (search && "?" + search));
  }

  post(path, body) {
    return this.#json("POST", path, body);
  }

  /** Changes a device, if it is still at this version. */
  put(path, body, version) {
    return this.#json("PUT", path, body, version);
  }

  /** Takes something from a device, if it is still at this version. */
  delete(path, version) {
    return this.#json("DELETE", path, undefined, version);
  }

  /**
   * An answer whose body goes on, as that of a stream.
   * @param {Object<string, string>} headers
   * @param {AbortSignal} signal Ends it.
   */
  async open(path, headers, signal) {
    const response = await this.#fetch("GET", path, { headers, signal: AbortSignal.any([signal, this.#ended]) });
    this.#listening = true;
    this.heard();
    return response;
  }

  /** The stream lives. */
  heard() {
    if (this.#isProven()) this.#prolong();
  }

  /** The stream is over, or a connection was lost: who answers from now on may be somebody else. */
  lost() {
    this.#listening = false;
    this.#proven.until = 0;
  }

  #isProven() {
    return Date.now() < this.#proven.until;
  }

  #prolong() {
    this.#proven.until = Date.now() + (this.#listening ? PROOF_HOLDS_WHILE_LISTENING_MS : PROOF_HOLDS_MS);
  }

  async #prove() {
    let answers;
    try {
      answers = await whoAnswers(this.#key, this.#ended);
    } catch {
      throw this.#noAnswer();
    }
    if (answers !== "gateway") {
      if (this.#proven.before) throw new Problem(0, "not-proven");
      throw answers === "elsewhere" ? new Problem(403, "host-refused") : new Problem(401, "unauthorized");
    }

    this.#proven.before = true;
    this.#prolong();
  }

  async #json(method, path, body, version) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (version !== undefined) headers["If-Match"] = `"${version}"`;
    const response = await this.#fetch(method, path, {
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any([this.#ended, AbortSignal.timeout(PATIENCE_MS)]),
    });
    if (response.status === 204) return null;
    try {
      return await response.json();
    } catch {
      throw this.#noAnswer();
    }
  }

  async #fetch(method, path, { headers, body, signal }) {
    if (!this.#isProven()) await (this.#proving ??= this.#prove().finally(() => { this.#proving = null; }));
    let response;
    try {
      response = await fetch(path, {
        method,
        body,
        signal,
        headers: { ...headers, Authorization: `Bearer ${this.#key}` },
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
      });
    } catch {
      this.#proven.until = 0;
      throw this.#noAnswer();
    }
    if (response.ok) return response;

    const problem = await problemOf(response);
    if (response.status === 401 && !this.#ended.aborted) this.#onUnauthorized();
    throw problem;
  }

  #noAnswer() {
    return new Problem(0, this.#ended.aborted ? "signed-out" : "no-answer");
  }
}

async function problemOf(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  try {
    const { type, detail } = await response.json();
    return new Problem(response.status, type.startsWith(PREFIX) ? type.slice(PREFIX.length) : type, detail, retryAfter);
  } catch {
    return new Problem(response.status, `http-${response.status}`, undefined, retryAfter);
  }
}
