import type { PairingRequiredError } from "./errors.js";
import type { Nonces } from "./nonce.js";
import { refusalOfClose } from "./refusal.js";

const MARKER = "device-proof.v1";
const MAX_HELD = 1024 * 1024; // bytes
const ABNORMAL = 1006;

/** The end of a `DeviceWebSocket`. */
export class DeviceCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;

  /** Set if the gateway does not let the device in, or not any more. */
  readonly refusal: PairingRequiredError | undefined;

  constructor(code: number, reason: string, wasClean: boolean, refusal?: PairingRequiredError) {
    super("close");
    this.code = code;
    this.reason = reason;
    this.wasClean = wasClean;
    this.refusal = refusal;
  }
}

interface SocketEvents {
  open: Event;
  message: MessageEvent;
  error: Event;
  close: DeviceCloseEvent;
}

interface Opening {
  readonly nonces: Nonces;
  readonly prove: (nonce: string) => Promise<string>;
  readonly findRefusal: () => Promise<PairingRequiredError | undefined>;
  readonly WebSocket: typeof WebSocket;
}

type Sendable = string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob;

/**
 * A WebSocket whose opening carries a proof. Scripts cannot set its headers, so the proof is a subprotocol, and the gateway refuses by opening and closing
 * it. If it closes it for a nonce that is too old, this class opens another one once and sends again what was sent meanwhile, of which no backend has heard.
 */
export class DeviceWebSocket extends EventTarget {
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;
  readonly url: string;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onclose: ((event: DeviceCloseEvent) => void) | null = null;

  readonly #opening: Opening;
  readonly #protocols: readonly string[];
  #inner: WebSocket | undefined;
  #state = 0;
  #binaryType: BinaryType = "blob";
  #hasRetried = false;

  /** What was sent before the backend was heard; undefined once nothing is sent again. */
  #held: Sendable[] | undefined = [];
  #heldBytes = 0;

  /** @internal */
  constructor(url: URL, protocols: readonly string[], opening: Opening) {
    super();
    this.url = url.href;
    this.#protocols = protocols;
    this.#opening = opening;
    this.addEventListener("open", (event) => this.onopen?.(event));
    this.addEventListener("message", (event) => this.onmessage?.(event));
    this.addEventListener("error", (event) => this.onerror?.(event));
    this.addEventListener("close", (event) => this.onclose?.(event));
    void this.#open();
  }

  get readyState(): number {
    return this.#state;
  }

  /** The backend's choice of the protocols that were offered. */
  get protocol(): string {
    const protocol = this.#inner?.protocol ?? "";
    return protocol === MARKER ? "" : protocol;
  }

  get extensions(): string {
    return this.#inner?.extensions ?? "";
  }

  get bufferedAmount(): number {
    return this.#inner?.bufferedAmount ?? 0;
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    this.#binaryType = type;
    if (this.#inner) this.#inner.binaryType = type;
  }

  send(data: Sendable): void {
    if (this.#state === this.CONNECTING) throw new DOMException("The WebSocket is not open yet", "InvalidStateError");
    if (this.#state !== this.OPEN) return;
    this.#hold(data);
    if (this.#inner?.readyState === this.OPEN) this.#inner.send(data);
  }

  close(code?: number, reason?: string): void {
    if (this.#state >= this.CLOSING) return;
    this.#inner?.close(code, reason); // throws for a code that may not be sent
    this.#state = this.CLOSING;
  }

  override addEventListener<K extends keyof SocketEvents>(type: K, listener: (event: SocketEvents[K]) => void, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: string, listener: unknown, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(type, listener as EventListener, options);
  }

  async #open(): Promise<void> {
    let socket: WebSocket;
    try {
      const proof = await this.#opening.prove(this.#opening.nonces.current ?? (await this.#opening.nonces.renew()));
      if (this.#state >= this.CLOSING) throw new Error("closed meanwhile");
      socket = new this.#opening.WebSocket(this.url, [MARKER, `${MARKER}.${proof}`, ...this.#protocols]);
    } catch {
      this.#fail();
      return;
    }
    this.#inner = socket;
    socket.binaryType = this.#binaryType;
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = ({ data, origin }) => {
      this.#held = undefined;
      this.dispatchEvent(new MessageEvent("message", { data, origin }));
    };
    socket.onerror = () => this.dispatchEvent(new Event("error"));
    socket.onclose = ({ code, reason, wasClean }) => this.#closed(code, reason, wasClean);
  }

  #opened(socket: WebSocket): void {
    if (this.#hasRetried) {
      for (const data of this.#held ?? []) socket.send(data);
      this.#held = undefined;
    }
    if (this.#state !== this.CONNECTING) return;
    this.#state = this.OPEN;
    this.dispatchEvent(new Event("open"));
  }

  #closed(code: number, reason: string, wasClean: boolean): void {
    const [, nonce] = code === 1008 ? (/^device nonce required: (.*)$/.exec(reason) ?? []) : [];
    if (this.#held && !this.#hasRetried && this.#state < this.CLOSING && this.#opening.nonces.keep(nonce)) {
      this.#hasRetried = true;
      void this.#open();
      return;
    }
    this.#state = this.CLOSING;
    this.#held = undefined;
    void this.#end(code, reason, wasClean);
  }

  async #end(code: number, reason: string, wasClean: boolean): Promise<void> {
    const told = refusalOfClose(code, reason);
    // An agent can close with these words as well. Which request waits for people comes from an answer with the gateway's nonce.
    const refusal = told && reason.startsWith("pairing ") ? ((await this.#opening.findRefusal()) ?? told) : told;
    this.#state = this.CLOSED;
    this.dispatchEvent(new DeviceCloseEvent(code, reason, wasClean, refusal));
  }

  #fail(): void {
    this.#state = this.CLOSED;
    this.#held = undefined;
    this.dispatchEvent(new Event("error"));
    this.dispatchEvent(new DeviceCloseEvent(ABNORMAL, "", false));
  }

  #hold(data: Sendable): void {
    if (!this.#held) return;
    this.#heldBytes += typeof data === "string" ? data.length : data instanceof Blob ? data.size : data.byteLength;
    if (this.#heldBytes > MAX_HELD && !this.#hasRetried) this.#held = undefined;
    else this.#held.push(copyOf(data)); // the caller may write into its buffer again
  }
}

function copyOf(data: Sendable): Sendable {
  if (data instanceof ArrayBuffer) return data.slice(0);
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() : data;
}
