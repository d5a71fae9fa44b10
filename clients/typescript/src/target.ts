import { DeviceAuthError } from "./errors.js";

/** The origin of a URL as proofs name it: `http` for `ws`, no user name, no default port. */
export function originOf(url: URL): string {
  return `${url.protocol.replace(/^ws/, "http")}//${url.host}`;
}

/** What the claim `htu` says of a URL. A parsed URL has the path that fetch and WebSocket send, dot segments and percent-encodings included. */
export function htuOf(url: URL): string {
  return originOf(url) + url.pathname;
}

/** Whether a path is this one or below it. */
export function isWithin(path: string, folder: string): boolean {
  return path.startsWith(folder) && (path.length === folder.length || folder.endsWith("/") || path[folder.length] === "/");
}

/** Throws unless a proof may be sent to this URL. */
export function checkTarget(url: URL): void {
  if (!["http:", "https:", "ws:", "wss:"].includes(url.protocol)) throw unsafe(`A proof is not sent by ${url.protocol}`);
  if (url.username || url.password) throw unsafe("A URL with a user name or password gets no proof");
  if (!["https:", "wss:"].includes(url.protocol) && !isLoopback(url.hostname)) {
    throw unsafe(`${originOf(url)} is another machine, and the connection is not encrypted: somebody on the way could use the proof. Use https or wss`);
  }
}

/** Throws unless the URL is one of the gateway's: another server could hand the gateway's nonce on, and use the proof that it gets. */
export function checkOrigin(url: URL, gateway: string): void {
  if (originOf(url) !== gateway) throw unsafe(`This client proves its device to ${gateway} alone, and not to ${originOf(url)}`);
}

// Names below .localhost are left out: not every resolver keeps them on this machine.
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function unsafe(message: string): DeviceAuthError {
  return new DeviceAuthError("unsafe_url", message);
}
