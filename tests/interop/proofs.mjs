import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as dpop from "dpop";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** A device whose proofs the package `dpop` makes. */
export async function dpopDevice(alg) {
  const keys = await dpop.generateKeyPair(alg);
  return {
    name: `dpop, ${alg}`,
    prove: (url, { method = "GET", nonce, token, claims } = {}) => dpop.generateProof(keys, htuOf(url), method, nonce, token, claims),
  };
}

/** A device whose proofs the package `jose` makes. */
export async function joseDevice(alg) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const { kty, crv, x, y } = await exportJWK(publicKey);
  const jwk = { kty, crv, x, ...(y && { y }) };
  return {
    name: `jose, ${alg}`,
    prove: (url, { method = "GET", nonce, claims } = {}) =>
      new SignJWT({ htm: method, htu: htuOf(url), jti: randomUUID(), ...(nonce && { nonce }), ...claims })
        .setProtectedHeader({ typ: "dpop+jwt", alg, jwk })
        .setIssuedAt()
        .sign(privateKey),
  };
}

/** Debian's Python, if it has jwcrypto. */
const PYTHON = "/usr/bin/python3";
const hasJwcrypto = spawnSync(PYTHON, ["-c", "import jwcrypto"]).status === 0;

/** A device whose proofs Python's `jwcrypto` makes. */
export function pythonDevice(alg) {
  const maker = spawn(PYTHON, [fileURLToPath(new URL("prove.py", import.meta.url)), alg], { stdio: ["pipe", "pipe", "inherit"] });
  const proofs = createInterface({ input: maker.stdout })[Symbol.asyncIterator]();
  return {
    name: `jwcrypto, ${alg}`,
    prove: async (url, { method = "GET", nonce, claims } = {}) => {
      maker.stdin.write(`${JSON.stringify({ method, url: htuOf(url), nonce, claims })}\n`);
      return (await proofs.next()).value;
    },
  };
}

export async function allDevices() {
  return [
    ...(hasJwcrypto ? [pythonDevice("ES256"), pythonDevice("EdDSA")] : []),
    await dpopDevice("ES256"), await dpopDevice("Ed25519"),
    await joseDevice("ES256"), await joseDevice("EdDSA"), await joseDevice("Ed25519"),
  ];
}

/** What a proof names: no query, no fragment, and http for ws. */
export function htuOf(url) {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol.replace("ws", "http")}//${host}${pathname}`;
}

/** A fetch that adds a proof to each request, and repeats a request once with the nonce that it is told, where its body can be sent again. */
export function provingFetch(device, claims) {
  let nonce;
  return async (url, options = {}) => {
    const send = async () => {
      const headers = new Headers(options.headers);
      headers.set("Device-Proof", await device.prove(url, { method: options.method ?? "GET", nonce, claims }));
      const response = await fetch(url, { ...options, headers, redirect: "manual" });
      nonce = response.headers.get("device-nonce") ?? nonce;
      return response;
    };
    const first = await send();
    if (first.status !== 401 || !(first.headers.get("www-authenticate") ?? "").includes('error="use_dpop_nonce"')) return first;
    await first.arrayBuffer();
    return await send();
  };
}
