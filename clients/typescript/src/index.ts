export { type BrowserKeyOptions, forgetBrowserKey, loadBrowserKey } from "./browser.js";
export { DeviceClient, type DeviceClientOptions, type WaitOptions } from "./client.js";
export { DeviceAuthError, type DeviceAuthErrorCode, type PairingCode, type PairingReason, PairingRequiredError } from "./errors.js";
export { type DeviceKey, deviceIdOf, generateKey, type KeyAlgorithm, keyOf, type PublicKey } from "./key.js";
export type { ClientDescription, ProofClaims } from "./proof.js";
export type { SessionOptions } from "./session.js";
export { DeviceCloseEvent, DeviceWebSocket } from "./socket.js";
