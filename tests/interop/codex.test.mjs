import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import WebSocket from "ws";
import { dpopDevice } from "./proofs.mjs";
import { startCodex, startGate, stopServices, temporaryDirectory } from "./services.mjs";

const CONFIG = new URL("../../config/any-agent.json", import.meta.url);

suite("codex's app-server, which verifies the gate's assertion", { timeout: 120_000 }, () => {
  let codex, gate, secretFile;

  before(async () => {
    secretFile = join(temporaryDirectory("secret"), "secret");
    writeFileSync(secretFile, randomBytes(32).toString("base64url"), { mode: 0o600 });
    codex = await startCodex(secretFile, "default");
    gate = await startGate(codex, {
      config: CONFIG,
      settings: () => [
        "--ReverseProxy:Routes:agent:Transforms:0:DeviceAssertion=Authorization",
        "--ReverseProxy:Routes:agent:Transforms:0:Prefix=Bearer ",
        "--ReverseProxy:Routes:agent:Transforms:0:Algorithm=HS256",
        `--ReverseProxy:Routes:agent:Transforms:0:SecretFile=${secretFile}`,
      ],
    });
  });

  after(stopServices);

  test("lets nobody in who comes without it", async () => {
    const [error] = await once(new WebSocket(codex.url.replace("http", "ws")), "error");

    assert.match(error.message, /401/);
  });

  test("lets a device in that the gate has admitted", async () => {
    const device = await dpopDevice("ES256");
    const url = `ws://127.0.0.1:${gate.port}/`;
    const answer = await fetch(`http://127.0.0.1:${gate.port}/.well-known/proxygateway/nonce`);
    const proof = await device.prove(url, { nonce: answer.headers.get("device-nonce") });
    const socket = new WebSocket(url, { headers: { "Device-Proof": proof, Authorization: "Bearer forged" } });
    await once(socket, "open");

    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { clientInfo: { name: "interop", title: "interop", version: "1" } } }));

    const [message] = await once(socket, "message");
    assert.match(JSON.parse(message).result.userAgent, /codex|interop/i);
    socket.close();
  });
});
