import { base64Url, base64UrlOfText, bytesOf } from "./encoding.js";
import { DeviceAuthError } from "./errors.js";
import { type DeviceKey, signatureOf } from "./key.js";

const MAX_LENGTH = 4096;
const ID_BYTES = 16;

/** What the device says of itself. Operators see it as the device's word. */
export interface ClientDescription {
  readonly id?: string;
  readonly displayName?: string;
  readonly version?: string;
  readonly platform?: string;
  readonly mode?: string;
}

/** What a proof asks for. Absent: what the gateway's route says. */
export interface ProofClaims {
  readonly role?: string;
  readonly scopes?: readonly string[];
  readonly client?: ClientDescription;

  /** The secret of an invitation, by which the device needs no operator. */
  readonly invitation?: string;
}

/** A proof for one request (docs/proof.md of the gateway): no two have the same `jti`. */
export async function makeProof(key: DeviceKey, method: string, htu: string, nonce: string | undefined, { role, scopes, client, invitation }: ProofClaims): Promise<string> {
  const { publicKey } = key;
  // Member by member: a signer's object could hold more than the public key.
  const jwk = publicKey.kty === "EC"
    ? { kty: publicKey.kty, crv: publicKey.crv, x: publicKey.x, y: publicKey.y }
    : { kty: publicKey.kty, crv: publicKey.crv, x: publicKey.x };
  const claims = {
    htm: method,
    htu,
    nonce,
    jti: base64Url(crypto.getRandomValues(new Uint8Array(ID_BYTES))),
    iat: Math.floor(Date.now() / 1000),
    role,
    scope: scopes?.join(" "),
    client,
    invitation,
  };
  const signed = `${base64UrlOfText(JSON.stringify({ typ: "dpop+jwt", alg: key.algorithm, jwk }))}.${base64UrlOfText(JSON.stringify(claims))}`;
  const proof = `${signed}.${await signatureOf(key, bytesOf(signed))}`;
  if (proof.length > MAX_LENGTH) {
    throw new DeviceAuthError("proof_impossible", `The proof has ${proof.length} characters, and the gateway accepts ${MAX_LENGTH}: the URL, the scopes or the description is too long`);
  }
  return proof;
}
