import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, suite, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { dpopDevice, provingFetch } from "./proofs.mjs";
import { startGate, stopServices } from "./services.mjs";

const CONFIG = new URL("../../config/any-agent.json", import.meta.url);
const NOTICE = 60_000; // for so long a gateway announces its key before it signs

suite("jose, which verifies the gate's assertion", { timeout: 180_000 }, () => {
  let agent, gate;

  before(async () => {
    agent = await startAgent();
    gate = await startGate(agent, {
      config: CONFIG,
      settings: () => ["--ReverseProxy:Routes:agent:Transforms:0:DeviceAssertion=X-Device-Assertion"],
    });
  });

  after(async () => {
    await stopServices();
    agent.close();
  });

  test("finds its key at the gate's two ports", async () => {
    const fetchAsDevice = provingFetch(await dpopDevice("ES256"));
    const url = `http://127.0.0.1:${gate.port}/`;
    const early = await fetchAsDevice(url);
    assert.equal(early.status, 503, "the key is not announced for long enough");
    assert.ok(early.headers.has("retry-after"));
    await delay(NOTICE);

    const headers = await (await retry(() => fetchAsDevice(url))).json();

    for (const port of [gate.port, gate.adminPort]) {
      const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${port}/.well-known/proxygateway/jwks.json`));
      const { payload } = await jwtVerify(headers["x-device-assertion"], keys, {
        issuer: "http://localhost", audience: "default", typ: "device-assertion+jwt", algorithms: ["ES256"], maxTokenAge: 60,
      });
      assert.equal(payload.sub, headers["x-device-id"]);
      assert.equal(payload.role, headers["x-device-role"]);
      await assert.rejects(jwtVerify(headers["x-device-assertion"], keys, { audience: "another" }), /aud/);
      await assert.rejects(jwtVerify(headers["x-device-assertion"], keys, { currentDate: new Date(Date.now() + 61_000) }), /exp/);
    }
  });
});

/** Asks until the key signs: a gateway looks after its keys every ten seconds. */
async function retry(ask) {
  for (let i = 0; i < 30; i++) {
    const answer = await ask();
    if (answer.status === 200) return answer;
    await delay(500);
  }
  throw new Error("the key never signs");
}

/** An agent that answers with the headers that it got. */
async function startAgent() {
  const server = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.url = `http://127.0.0.1:${server.address().port}`;
  return server;
}
