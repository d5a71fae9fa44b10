import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, suite, test } from "node:test";
import WebSocket, { WebSocketServer } from "ws";
import { allDevices, dpopDevice, provingFetch } from "./proofs.mjs";
import { startGate, stopServices } from "./services.mjs";

const PROOF = {
  config: new URL("../../config/any-agent.json", import.meta.url),
  settings: () => ["--ReverseProxy:Routes:agent:Metadata:DeviceAuth.SessionTokens=Allow"],
};

suite("proofs that other people's libraries make", { timeout: 120_000 }, () => {
  let agent, gate, http, ws;

  before(async () => {
    agent = await startAgent();
    gate = await startGate(agent, PROOF);
    http = `http://127.0.0.1:${gate.port}/some/path`;
    ws = http.replace("http", "ws");
  });

  after(async () => {
    await stopServices();
    agent.close();
  });

  test("admit a request once", async (context) => {
    for (const device of await allDevices()) {
      await context.test(device.name, async () => {
        const asked = await fetch(http, { headers: { "Device-Proof": await device.prove(http) } });
        assert.equal(asked.status, 401);
        assert.match(asked.headers.get("www-authenticate"), /error="use_dpop_nonce"/);
        const proof = await device.prove(http, { nonce: asked.headers.get("device-nonce") });

        const answer = await fetch(`${http}?query=is-not-signed`, { headers: { "Device-Proof": proof } });
        const again = await fetch(http, { headers: { "Device-Proof": proof } });

        assert.equal(answer.status, 200, await answer.clone().text());
        const seen = await answer.json();
        assert.equal(seen.url, "/some/path?query=is-not-signed");
        assert.equal(seen.headers["device-proof"], undefined);
        assert.match(seen.headers["x-device-id"], /^[0-9a-f]{64}$/);
        assert.equal(again.status, 401);
        assert.equal((await again.json()).code, "proof_already_used");
      });
    }
  });

  test("admit a WebSocket, by header and by subprotocol", async (context) => {
    for (const device of await allDevices()) {
      await context.test(device.name, async () => {
        const nonce = await nonceOf(http);
        const headers = { "Device-Proof": await device.prove(ws, { nonce }) };
        assert.equal(await echo(new WebSocket(ws, { headers })), "echo: hello");

        const proof = await device.prove(ws, { nonce });
        const socket = new WebSocket(ws, ["device-proof.v1", `device-proof.v1.${proof}`]);
        assert.equal(await echo(socket), "echo: hello");
        assert.equal(socket.protocol, "device-proof.v1");

        const own = await device.prove(ws, { nonce });
        const speaking = new WebSocket(ws, ["device-proof.v1", `device-proof.v1.${own}`, "chat"]);
        assert.equal(await echo(speaking), "echo: hello");
        assert.equal(speaking.protocol, "chat");
      });
    }
  });

  test("carry a body of any length, and a role and scopes", async () => {
    const device = await dpopDevice("ES256");
    const body = "x".repeat(3_000_000);

    const answer = await provingFetch(device, { role: "client", scope: "tools.call" })(http, { method: "POST", body });

    const seen = await answer.json();
    assert.equal(seen.length, body.length);
    assert.equal(seen.headers["x-device-role"], "client");
    assert.equal(seen.headers["x-device-scopes"], "tools.call");
  });

  test("get a session token, which comes alone or beside a proof that names it", async () => {
    const device = await dpopDevice("ES256");
    const asked = await provingFetch(device)(new URL("/.well-known/proxygateway/session", http), { method: "POST", body: '{"route":"agent"}' });
    assert.equal(asked.status, 200, await asked.clone().text());
    const { token, expiresAt } = await asked.json();
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 300_000) < 30_000, expiresAt);

    const nonce = await nonceOf(http);
    const named = await device.prove(http, { nonce, token });
    const unnamed = await device.prove(http, { nonce });
    for (const [proof, status] of [[undefined, 200], [named, 200], [unnamed, 401]]) {
      const answer = await fetch(http, { headers: { "Device-Session": token, ...(proof && { "Device-Proof": proof }) } });
      assert.equal(answer.status, status, await answer.clone().text());
      const seen = await answer.json();
      if (status === 200) assert.equal(seen.headers["device-session"], undefined);
      else assert.equal(seen.claim, "ath");
    }
    assert.equal(await echo(new WebSocket(ws, { headers: { "Device-Session": token } })), "echo: hello");
  });

  test("without a proof nobody gets in", async () => {
    const answer = await fetch(http);

    assert.equal(answer.status, 403);
    assert.equal((await answer.json()).code, "device_proof_required");
    assert.ok(answer.headers.get("device-nonce"));
  });

  test("the clock of a device does not matter", async () => {
    const device = await dpopDevice("Ed25519");
    const nonce = await nonceOf(http);
    for (const iat of [0, Math.floor(Date.now() / 1000) + 3600]) {
      const answer = await fetch(http, { headers: { "Device-Proof": await device.prove(http, { nonce, claims: { iat } }) } });
      assert.equal(answer.status, 200, await answer.clone().text());
    }
  });
});

async function nonceOf(url) {
  const answer = await fetch(new URL("/.well-known/proxygateway/nonce", url));
  assert.equal(answer.status, 200);
  return answer.headers.get("device-nonce");
}

async function echo(socket) {
  socket.on("open", () => socket.send("hello"));
  const [message] = await once(socket, "message");
  socket.close();
  await once(socket, "close");
  return message.toString();
}

/** An agent that answers with what it got, and echoes on WebSockets. */
async function startAgent() {
  const server = createServer(async (request, response) => {
    let length = 0;
    for await (const chunk of request) length += chunk.length;
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ url: request.url, method: request.method, headers: request.headers, length }));
  });
  const sockets = new WebSocketServer({ server, handleProtocols: (protocols) => (protocols.has("chat") ? "chat" : false) });
  sockets.on("connection", (socket) => socket.on("message", (text) => socket.send(`echo: ${text}`)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.url = `http://127.0.0.1:${server.address().port}`;
  return server;
}
