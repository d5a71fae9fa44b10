const RETRY_MS = 4_000;

/**
 * A list that comes in pages, kept as long as the operator has asked for. Reloads that come while it is being loaded become one more load after
 * that, and not one each. What fails and may work again is tried again.
 */
export class PagedList {
  #load;
  #onChange;
  #next = null;
  #pages = 1;
  #loading = null;
  #retry;
  #isStale = false;

  items = [];
  /** Whether it was ever loaded. */
  isLoaded = false;
  /** What went wrong the last time; null if nothing. */
  problem = null;

  /**
   * @param {(cursor: string|null) => Promise<{items: object[], next: string|null}>} load Loads a page.
   * @param {() => void} onChange Called after every load, also one that failed.
   */
  constructor(load, onChange) {
    this.#load = load;
    this.#onChange = onChange;
  }

  get hasMore() {
    return this.#next !== null;
  }

  /** Loads as many pages as there are now again. */
  reload() {
    this.#isStale = true;
    this.#loading ??= this.#reloadWhileStale();
    return this.#loading;
  }

  /** Starts again with the first page. */
  restart() {
    this.#pages = 1;
    return this.reload();
  }

  /** One page more. */
  more() {
    this.#pages++;
    return this.reload();
  }

  async #reloadWhileStale() {
    try {
      while (this.#isStale) {
        this.#isStale = false;
        clearTimeout(this.#retry);
        try {
          await this.#loadPages();
          this.isLoaded = true;
          this.problem = null;
        } catch (problem) {
          if (problem.problem === "signed-out") return; // for good
          this.problem = problem;
          if (problem.mayPass) this.#retry = setTimeout(() => this.reload(), RETRY_MS);
        }
        this.#onChange();
      }
    } finally {
      this.#loading = null; // also if it could not be shown: the next change is loaded all the same
    }
  }

  async #loadPages() {
    const items = new Map(); // what moves from one page to another meanwhile is there once
    let next = null;
    for (let page = 0; page < this.#pages && (page === 0 || next !== null); page++) {
      const loaded = await this.#load(next);
      for (const item of loaded.items) items.set(item.id, item);
      next = loaded.next;
    }
    this.items = [...items.values()];
    this.#next = next;
  }
}
