import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { constants } from "node:fs";
import { link, mkdir, open, stat, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DeviceAuthError } from "./errors.js";
import type { DeviceKey, KeyAlgorithm, PublicKey } from "./key.js";

const MAX_BYTES = 16 * 1024;
const OTHERS = 0o066; // others read, others write
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
const UNCOMPRESSED = 4;

/** What the file holds, as `proxygateway connect` writes it: raw keys in base64url. Version 2 names its algorithm, version 1 is of Ed25519. */
interface IdentityFile {
  version: 1 | 2;
  deviceId: string;
  publicKey: string;
  privateKey: string;
  algorithm?: "ES256";
}

export interface KeyFileOptions {
  /** Of a key that does not exist yet; `Ed25519` unless set. */
  readonly algorithm?: KeyAlgorithm;
}

/**
 * The key in the file, which is made if there is none: by this user alone to read. Any number of processes may do so at once, and get the same key. The file
 * is that of the gateway's own commands and of `proxygateway_device_auth` for Python, so that a device may be shared.
 *
 * @throws {DeviceAuthError} `key_unusable`: others than its owner can read, write or replace the file, or it holds no device's key.
 */
export async function loadKeyFile(path: string, { algorithm = "Ed25519" }: KeyFileOptions = {}): Promise<DeviceKey> {
  const text = (await read(path)) ?? (await createFile(path, algorithm));
  const key = parse(text);
  if (!key) throw unusable(`${path} holds no device's key; name another file, or move it away for a new one`);
  return key;
}

async function createFile(path: string, algorithm: KeyAlgorithm): Promise<string> {
  await mkdir(dirname(resolve(path)), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    try {
      await file.writeFile(create(algorithm));
      await file.sync();
    } finally {
      await file.close();
    }
    // A rename would replace the key that another process has made and already read.
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await unlink(draft);
  }
  const text = await read(path);
  if (text === undefined) throw unusable(`${path} is gone again`);
  return text;
}

async function read(path: string): Promise<string | undefined> {
  let file;
  try {
    // A pipe that somebody else put there must not block this process.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    // Of the open file: the path may lead to another one by now.
    const status = await file.stat();
    if (!status.isFile()) throw unusable(`${path} is no regular file`);
    if (status.size > MAX_BYTES) throw unusable(`${path} is longer than ${MAX_BYTES} bytes, so it holds no device's key`);
    if (process.geteuid) {
      if (!isTrusted(status.uid)) throw unusable(`${path} belongs to another user`);
      if (status.mode & OTHERS) throw unusable(`${path} can be read or written by others than its owner; run: chmod 600 ${path}`);
      await checkFolder(dirname(resolve(path)));
    }
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

async function checkFolder(folder: string): Promise<void> {
  const { mode, uid } = await stat(folder);
  if (!isTrusted(uid)) throw unusable(`The folder ${folder} belongs to another user, who can replace what is in it`);
  if (mode & OTHERS_WRITE && !(mode & STICKY)) throw unusable(`In the folder ${folder} others than its owner can replace files; run: chmod go-w ${folder}`);
}

function isTrusted(user: number): boolean {
  return user === 0 || user === process.geteuid?.();
}

function create(algorithm: KeyAlgorithm): string {
  const { privateKey } = algorithm === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
  const { d } = privateKey.export({ format: "jwk" });
  const raw = rawOf(publicKeyOf(privateKey));
  const content: IdentityFile = {
    version: algorithm === "ES256" ? 2 : 1,
    deviceId: createHash("sha256").update(raw).digest("hex"),
    publicKey: raw.toString("base64url"),
    privateKey: d as string,
    ...(algorithm === "ES256" && { algorithm }),
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

function parse(text: string): DeviceKey | undefined {
  try {
    const { version, algorithm, publicKey, privateKey } = JSON.parse(text) as IdentityFile;
    const point = Buffer.from(publicKey, "base64url");
    const named: PublicKey | undefined =
      version === 1 && algorithm === undefined && point.length === 32 ? { kty: "OKP", crv: "Ed25519", x: point.toString("base64url") }
      : version === 2 && algorithm === "ES256" && point.length === 65 && point[0] === UNCOMPRESSED
        ? { kty: "EC", crv: "P-256", x: point.toString("base64url", 1, 33), y: point.toString("base64url", 33) }
      : undefined;
    if (!named || Buffer.from(privateKey, "base64url").length !== 32) return undefined;
    const key = createPrivateKey({ format: "jwk", key: { ...named, d: privateKey } });
    return isPair(key, named) ? keyOf(key, named) : undefined;
  } catch {
    return undefined; // Not passed on: what JSON.parse says of a damaged file shows a part of it.
  }
}

// Signatures that never hold would be a riddle, so both halves must belong together. A key of OpenSSL keeps the public half it is given.
function isPair(key: KeyObject, named: PublicKey): boolean {
  const probe = Buffer.from("proxygateway");
  const check = createPublicKey({ format: "jwk", key: named });
  return named.kty === "EC" ? verify("sha256", probe, check, sign("sha256", probe, key)) : verify(null, probe, check, sign(null, probe, key));
}

function keyOf(key: KeyObject, publicKey: PublicKey): DeviceKey {
  const isP256 = publicKey.kty === "EC";
  return {
    algorithm: isP256 ? "ES256" : "Ed25519",
    publicKey,
    sign: async (data) => (isP256 ? sign("sha256", data, { key, dsaEncoding: "ieee-p1363" }) : sign(null, data, key)),
  };
}

function publicKeyOf(privateKey: KeyObject): PublicKey {
  return createPublicKey(privateKey).export({ format: "jwk" }) as PublicKey;
}

function rawOf(key: PublicKey): Buffer {
  const x = Buffer.from(key.x, "base64url");
  return key.kty === "EC" ? Buffer.concat([Buffer.of(UNCOMPRESSED), x, Buffer.from(key.y, "base64url")]) : x;
}

function unusable(message: string): DeviceAuthError {
  return new DeviceAuthError("key_unusable", message);
}
