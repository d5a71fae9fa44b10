/**
 * Reads Server-Sent Events (WHATWG HTML §9.2.6), since EventSource cannot send a key. Text comes in pieces of any size.
 */
export class EventParser {
  #line = "";
  #endedWithCarriageReturn = false;
  #name = "";
  #data = [];
  #id = null;
  #onEvent;

  /** @param {(event: {name: string, data: string, id: string|null}) => void} onEvent */
  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  /** @param {string} text The next piece. */
  push(text) {
    for (const letter of text) {
      const isSecondHalf = letter === "\n" && this.#endedWithCarriageReturn;
      this.#endedWithCarriageReturn = letter === "\r";
      if (isSecondHalf) continue;
      if (letter === "\n" || letter === "\r") {
        this.#end(this.#line);
        this.#line = "";
      } else {
        this.#line += letter;
      }
    }
  }

  #end(line) {
    if (line === "") {
      if (this.#data.length > 0) this.#onEvent({ name: this.#name || "message", data: this.#data.join("\n"), id: this.#id });
      this.#name = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment, as a sign of life
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id") this.#id = value;
  }
}
