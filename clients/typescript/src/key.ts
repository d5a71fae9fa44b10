import { base64Url, hexOf, rawOf } from "./encoding.js";
import { DeviceAuthError } from "./errors.js";

/** `ES256` is P-256 with SHA-256, which every WebCrypto has. */
export type KeyAlgorithm = "ES256" | "Ed25519";

/** A public key: the members of its JWK (RFC 7517, RFC 8037). */
export type PublicKey =
  | { readonly kty: "EC"; readonly crv: "P-256"; readonly x: string; readonly y: string }
  | { readonly kty: "OKP"; readonly crv: "Ed25519"; readonly x: string };

/** A device's key. Implement it for a key that only signs: of a TPM, a keychain, an agent. */
export interface DeviceKey {
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: PublicKey;

  /** The signature: 64 bytes, also of ES256 (r and s, not DER). */
  sign(data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer | Uint8Array>;
}

/** A new key of WebCrypto that no script can read. It lasts as long as this object; `loadBrowserKey` keeps one. */
export async function generateKey(algorithm: KeyAlgorithm = "ES256"): Promise<DeviceKey> {
  return keyOf(await generatePair(algorithm));
}

export async function generatePair(algorithm: KeyAlgorithm): Promise<CryptoKeyPair> {
  const kind = algorithm === "ES256" ? { name: "ECDSA", namedCurve: "P-256" } : { name: "Ed25519" };
  try {
    return (await crypto.subtle.generateKey(kind, false, ["sign", "verify"])) as CryptoKeyPair;
  } catch {
    throw new DeviceAuthError("key_unusable", `WebCrypto makes no ${algorithm} key here; a page needs https or localhost`);
  }
}

/** A key pair of WebCrypto as a device's key. */
export async function keyOf({ publicKey, privateKey }: CryptoKeyPair): Promise<DeviceKey> {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
  const isP256 = privateKey.algorithm.name === "ECDSA";
  return {
    algorithm: isP256 ? "ES256" : "Ed25519",
    publicKey: (isP256 ? { kty, crv, x, y } : { kty, crv, x }) as PublicKey,
    sign: (data) => crypto.subtle.sign(isP256 ? { name: "ECDSA", hash: "SHA-256" } : { name: "Ed25519" }, privateKey, data),
  };
}

/** The device's id, as operators see it: the SHA-256 of the raw public key, in hexadecimal. */
export async function deviceIdOf(key: DeviceKey): Promise<string> {
  const { publicKey } = key;
  const raw = publicKey.kty === "EC" ? [4, ...rawOf(publicKey.x), ...rawOf(publicKey.y)] : [...rawOf(publicKey.x)];
  return hexOf(await crypto.subtle.digest("SHA-256", new Uint8Array(raw)));
}

/** Signs, and checks that the signature has the form of JWS. */
export async function signatureOf(key: DeviceKey, data: Uint8Array<ArrayBuffer>): Promise<string> {
  const signature = new Uint8Array(await key.sign(data));
  if (signature.length !== 64) {
    throw new DeviceAuthError("key_unusable", `The signature has ${signature.length} bytes instead of 64 (r and s, not DER)`);
  }
  return base64Url(signature);
}
