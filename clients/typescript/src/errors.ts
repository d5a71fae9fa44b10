/** Why a request is not made or was refused: `code` for programs, `message` for people. Neither holds a key or a proof. */
export class DeviceAuthError extends Error {
  override readonly name: string = "DeviceAuthError";
  readonly code: DeviceAuthErrorCode;

  constructor(code: DeviceAuthErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type DeviceAuthErrorCode =
  /** The URL may not get a proof: another origin than the gateway's, plain HTTP beyond this machine, or a user name in it. */
  | "unsafe_url"
  /** The answer is a redirect. A proof is for one URL, so it is not followed. */
  | "redirected"
  /** The key, the key's file or the stored key cannot be used. */
  | "key_unusable"
  /** The proof cannot be made: it would be longer than the gateway accepts, for instance. */
  | "proof_impossible"
  /** The gateway gives no nonce. */
  | "nonce_unavailable"
  /** This platform has no WebSocket. */
  | "websocket_missing"
  | PairingCode;

export type PairingCode = "pairing_required" | "pairing_rejected" | "device_blocked";

/** Why an operator has to decide: the device is new, or asks for another role or for more scopes than it has. */
export type PairingReason = "not-paired" | "role-upgrade" | "scope-upgrade";

/** The gateway does not let the device in: an operator has to decide, or has decided against it. */
export class PairingRequiredError extends DeviceAuthError {
  override readonly name = "PairingRequiredError";
  declare readonly code: PairingCode;

  /** The id of the request that an operator can approve. */
  readonly requestId: string | undefined;
  readonly reason: PairingReason | undefined;

  /** Whether the same can succeed later, once an operator has decided. */
  readonly retryable: boolean;

  /** After how many seconds to come again. */
  readonly retryAfter: number | undefined;

  constructor(code: PairingCode, requestId?: string, reason?: PairingReason, retryAfter?: number) {
    super(code, messageOf(code, requestId));
    this.requestId = requestId;
    this.reason = reason;
    this.retryable = code === "pairing_required";
    this.retryAfter = this.retryable ? (retryAfter ?? 5) : undefined;
  }
}

// In words of its own: a backend could answer with the gateway's form and its own text, and people run what such a message tells them to.
function messageOf(code: PairingCode, requestId: string | undefined): string {
  switch (code) {
    case "pairing_required":
      return requestId
        ? `This device is not let in yet. An operator of the gateway can approve it: proxygateway requests approve ${requestId}`
        : "This device is not let in any more, and has to ask again.";
    case "pairing_rejected":
      return `An operator of the gateway has rejected this device's request${requestId ? ` ${requestId}` : ""}.`;
    case "device_blocked":
      return "An operator of the gateway has blocked this device.";
  }
}
