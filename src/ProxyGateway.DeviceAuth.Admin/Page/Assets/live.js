import { EventParser } from "./sse.js";

const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const WITHOUT_STREAM_PAUSE_MS = 60_000;
const SILENCE_MS = 40_000; // a sign of life comes every 15 s
const POLL_MS = 4_000;

/**
 * What happens at the gateway, as it happens: the stream of events while there is one, and a reason to look again every few seconds while
 * there is none.
 */
export class Live {
  #api;
  #ended;
  #last = null;
  #onEntry;
  #onStale;
  #onState;

  /**
   * @param {import("./api.js").Api} api
   * @param {AbortSignal} ended When the operator signs out.
   * @param {object} told
   * @param {(entry: object) => void} told.onEntry An entry of the audit.
   * @param {() => void} told.onStale Something may have happened; look again.
   * @param {(state: "connecting"|"live"|"polling"|"away"|"unknown"|"failing") => void} told.onState How the page hears of things.
   */
  constructor(api, ended, { onEntry, onStale, onState }) {
    this.#api = api;
    this.#ended = ended;
    this.#onEntry = onEntry;
    this.#onStale = onStale;
    this.#onState = onState;
  }

  /** Goes on until the operator signs out. */
  async run() {
    this.#onState("connecting");
    let pause = SHORTEST_PAUSE_MS;
    while (!this.#ended.aborted) {
      try {
        await this.#follow(() => (pause = SHORTEST_PAUSE_MS));
        this.#onState("connecting"); // it has ended, as when the gateway restarts
      } catch (problem) {
        if (this.#ended.aborted) return;
        pause = this.#pauseAfter(problem, pause);
      }
      await this.#pollFor(pause * (0.75 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  async #follow(onOpen) {
    const silence = new AbortController();
    let timer;
    const hear = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
    };

    hear();
    try {
      const headers = this.#last === null ? {} : { "Last-Event-ID": this.#last };
      const response = await this.#api.open("/admin/v1/events", headers, silence.signal);
      onOpen();
      this.#onState("live");
      this.#onStale(); // what happened before there was a stream
      const parser = new EventParser((event) => this.#take(event));
      const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let piece = await text.read(); !piece.done; piece = await text.read()) {
        hear();
        this.#api.heard();
        parser.push(piece.value);
      }
    } finally {
      clearTimeout(timer);
      this.#api.lost();
    }
  }

  #take({ name, data, id }) {
    this.#last = id ?? this.#last;
    if (name === "gap") this.#onStale();
    else if (name !== "ready") this.#onEntry(JSON.parse(data));
  }

  #pauseAfter(problem, pause) {
    if (problem.problem === "audit-off" || problem.problem === "too-many-streams") {
      this.#onState("polling");
      return WITHOUT_STREAM_PAUSE_MS;
    }
    this.#onState(problem.problem === "not-proven" ? "unknown" : problem.status === 0 ? "away" : problem.status >= 500 ? "failing" : "connecting");
    return Math.max(pause, (problem.retryAfter ?? 0) * 1000);
  }

  /** Waits, and looks again every now and then meanwhile. */
  async #pollFor(duration) {
    const until = performance.now() + duration;
    for (let left = duration; left > 0 && !this.#ended.aborted; left = until - performance.now()) {
      await sleep(Math.min(left, POLL_MS), this.#ended);
      if (left > POLL_MS) this.#onStale();
    }
  }
}

function sleep(duration, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, duration);
    signal.addEventListener("abort", end);
  });
}
