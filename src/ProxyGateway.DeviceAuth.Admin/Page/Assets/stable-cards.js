import { fill, h, stateBox } from "./dom.js";

const SETTLING_MS = 600;
const MOVE_MS = 5_000;

/**
 * Cards that keep their place. Strangers can open requests as fast as they like, and each of theirs expires: neither may move the card that an
 * operator is about to press, or lock its buttons. So a new card goes to the end, while there is room; a card that is over turns inert, and such
 * cards are taken out together, every few seconds at most. Cards that move then take no click for a moment.
 */
export class StableCards {
  #cards = new Map();
  #held = new Set();
  #room;
  #make;
  #onMove;
  #onLeave;
  #movedAt = -Infinity;
  #nextMove;
  #settling = new Map();

  element = h("div", { class: "cards" });

  /**
   * @param {number} room How many cards are shown at first.
   * @param {object} told
   * @param {(item: object) => {id: string, element: HTMLElement, update: (item: object) => void, isDone?: boolean}} told.make Makes a card. `isDone`: the operator decided it here.
   * @param {() => void} told.onMove Cards that are over may be taken out now: update.
   * @param {(card: object) => void} told.onLeave A card is over.
   */
  constructor(room, { make, onMove, onLeave }) {
    this.#room = room;
    this.#make = make;
    this.#onMove = onMove;
    this.#onLeave = onLeave;
  }

  /** How many items are not shown for want of room. */
  get held() {
    return this.#held.size;
  }

  /** Makes room for so many more. */
  extend(room) {
    this.#room += room;
  }

  /** Starts again: the next update shows the items in their own order. */
  clear() {
    fill(this.element);
    this.#cards.clear();
  }

  stop() {
    clearTimeout(this.#nextMove);
  }

  /**
   * Shows these items, as far as there is room.
   * @param {object[]} items
   * @param {(card: object) => boolean} isOver Whether the item of a card that is not among them is over, and not only on a page that is not loaded.
   * @returns {object[]} The items that are there for the first time.
   */
  update(items, isOver) {
    const present = new Map(items.map((item) => [item.id, item]));
    this.#takeOut([...this.#cards.values()].filter((card) => !present.has(card.id) && isOver(card)));
    for (const card of this.#cards.values()) {
      if (!present.has(card.id)) continue;
      card.element.inert = false; // it may have seemed over, and was renewed
      show(card, present.get(card.id));
    }

    const fresh = items.filter((item) => !this.#cards.has(item.id));
    const shown = fresh.slice(0, Math.max(0, this.#room - this.#cards.size));
    for (const item of shown) {
      const card = this.#make(item);
      this.#cards.set(item.id, card);
      this.element.append(card.element);
      show(card, item);
    }
    const news = fresh.filter((item) => !this.#held.has(item.id));
    this.#held = new Set(fresh.slice(shown.length).map((item) => item.id));
    return news;
  }

  #takeOut(over) {
    for (const card of over.filter((card) => !card.element.inert)) this.#end(card);
    const wait = MOVE_MS - (performance.now() - this.#movedAt);
    const leaving = wait <= 0 ? over : over.filter((card) => card.isDone);
    clearTimeout(this.#nextMove);
    if (leaving.length < over.length) this.#nextMove = setTimeout(this.#onMove, wait);
    if (leaving.some((card) => !card.isDone)) this.#movedAt = performance.now();

    const elements = new Set(leaving.map((card) => card.element));
    const all = [...this.element.children];
    const first = all.findIndex((element) => elements.has(element));
    for (const card of leaving) {
      card.element.remove();
      this.#cards.delete(card.id);
    }
    if (first >= 0) all.slice(first).filter((element) => !elements.has(element)).forEach((element) => this.#settle(element));
  }

  #end(card) {
    const next = card.element.nextElementSibling ?? card.element.previousElementSibling;
    const hadFocus = card.element.contains(document.activeElement);
    card.element.inert = true;
    this.#onLeave(card, hadFocus ? next : null, hadFocus);
  }

  #settle(element) {
    element.classList.add("settling");
    clearTimeout(this.#settling.get(element));
    this.#settling.set(element, setTimeout(() => {
      element.classList.remove("settling");
      this.#settling.delete(element);
    }, SETTLING_MS));
  }
}

/** Shows an item in its card. One that cannot be shown says so, and takes no other along. */
export function show(card, item) {
  try {
    card.update(item);
  } catch (error) {
    reportError(error);
    fill(card.element, stateBox("failed", "This cannot be shown here", `${item.id}. The command line can show it.`));
  }
}
