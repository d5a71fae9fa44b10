import { createHash, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { GatewayClient } from "@openclaw/gateway-client";

const KINDS = {
  operator: { clientName: "cli", mode: "cli" },
  node: { clientName: "node-host", mode: "node" },
};

/** A key pair, and what its owner's clients keep on disk. Its clients are of the official package, or of another class with the same options. */
export class Device {
  #identity;
  #Client;
  #deviceTokens = new Map();

  constructor(Client = GatewayClient) {
    this.#Client = Client;
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#identity = {
      deviceId: createHash("sha256").update(rawPublicKey(publicKey), "base64url").digest("hex"),
      publicKeyPem: publicKey.export({ type: "spki", format: "pem" }),
      privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }),
    };
  }

  get id() {
    return this.#identity.deviceId;
  }

  /** Keeps a token that the gateway has issued in another way than with its hello. */
  keepToken(role, { deviceToken, scopes }) {
    this.#deviceTokens.set(role, { deviceId: this.id, role, token: deviceToken, scopes });
  }

  /** Starts a client. `token` is the gateway's shared secret; without it the client uses the token that it was issued. */
  connect(url, { role = "operator", scopes = [], token, platform = "linux" } = {}) {
    return new Connection(this.#Client, {
      url,
      token,
      role,
      scopes,
      ...KINDS[role],
      clientVersion: "2026.9.1",
      clientDisplayName: "interop",
      // The gateway pins both at pairing, and fills in a family for nodes:
      // a device whose next client says something else is refused there.
      platform,
      deviceFamily: "Linux",
      deviceIdentity: this.#identity,
      hostDeps: {
        signDevicePayload: (privateKeyPem, payload) => sign(null, Buffer.from(payload), privateKeyPem).toString("base64url"),
        publicKeyRawBase64UrlFromPem: (publicKeyPem) => rawPublicKey(createPublicKey(publicKeyPem)),
        loadDeviceAuthToken: ({ role }) => this.#deviceTokens.get(role) ?? null,
        storeDeviceAuthToken: (entry) => this.#deviceTokens.set(entry.role, entry),
        clearDeviceAuthToken: ({ role }) => this.#deviceTokens.delete(role),
      },
    });
  }
}

/** A running client, which reconnects by itself as long as it likes, and everything that happened to it. */
export class Connection {
  #client;
  #connected = Promise.withResolvers();
  #refused = Promise.withResolvers();
  #closed = Promise.withResolvers();
  #gaveUp = Promise.withResolvers();

  /** Every error that a `connect` was answered with. */
  refusals = [];
  history = [];

  constructor(Client, options) {
    this.#client = new Client({
      ...options,
      onHelloOk: (hello) => {
        this.history.push(`hello-ok as ${hello.auth?.role} [${hello.auth?.scopes}]`);
        this.#connected.resolve(hello);
      },
      onConnectError: (error) => {
        this.history.push(`${error} ${JSON.stringify(error.details)}`);
        if (error.gatewayCode || error.name === "GatewayClientRequestError" || /^pairing required/.test(error.message)) { // 2026.2.23 names neither
          this.refusals.push(error);
          this.#refused.resolve(error);
        }
      },
      onClose: (code, reason) => {
        this.history.push(`closed ${code} ${reason}`);
        this.#closed.resolve({ code, reason });
      },
      onReconnectPaused: (reason) => {
        this.history.push(`gave up: ${reason.detailCode}`);
        this.#gaveUp.resolve(reason);
      },
    });
    this.#client.start();
  }

  /** The first hello-ok. */
  get connected() {
    return this.#connected.promise;
  }

  /** The first refusal. */
  get refused() {
    return this.#refused.promise;
  }

  /** The first close. */
  get closed() {
    return this.#closed.promise;
  }

  /** The client has stopped to reconnect. */
  get gaveUp() {
    return this.#gaveUp.promise;
  }

  /** The first hello-ok, unless a refusal comes before it. */
  get admitted() {
    return Promise.race([
      this.connected,
      this.refused.then((error) => {
        throw new Error(`refused: ${error.message} ${JSON.stringify(error.details)}`);
      }),
    ]);
  }

  request(method, params = {}) {
    return this.#client.request(method, params, { timeoutMs: 10_000 });
  }

  stop() {
    return this.#client.stopAndWait?.() ?? this.#client.stop();
  }
}

function rawPublicKey(publicKey) {
  return publicKey.export({ format: "jwk" }).x;
}
