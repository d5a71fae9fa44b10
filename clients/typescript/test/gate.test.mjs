import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, afterEach, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { serviceLogs, startGate, stopServices, temporaryDirectory } from "../../../tests/interop/services.mjs";
import { DeviceClient, deviceIdOf, generateKey, PairingRequiredError } from "../dist/index.js";
import { loadKeyFile } from "../dist/node.js";
import { serveExample } from "../example/serve.mjs";
import { startAgent, startListener, startWithOldNonces } from "./support.mjs";

const BROWSER = process.env.PROXYGATEWAY_TEST_CHROMIUM ?? "/usr/bin/chromium";

suite("through the real gateway", { timeout: 120_000, concurrency: 3 }, () => {
  let agent, gate, site, base, folder;

  before(async () => {
    site = serveExample();
    await once(site, "listening");
    agent = await startAgent();
    folder = temporaryDirectory("client");
    gate = await startGate(agent, {
      config: fileURLToPath(new URL("../../../config/any-agent.json", import.meta.url)),
      settings: () => ["--DeviceAuth:Pairing:AutoApprove:loopback:Enabled=false", "--DeviceAuth:Limits:HandshakesPerSecondPerAddress=1000", "--ReverseProxy:Routes:agent:Metadata:DeviceAuth.SessionTokens=Allow", `--DeviceAuth:AllowedOrigins:0=http://127.0.0.1:${site.address().port}`],
    });
    base = `http://127.0.0.1:${gate.port}`;
  });

  afterEach((context) => {
    if (!context.passed) console.error(serviceLogs());
  });

  after(async () => {
    await stopServices();
    rmSync(folder, { recursive: true });
    for (const server of [agent, site]) {
      server.closeAllConnections();
      server.close();
    }
  });

  const approve = (id) => gate.admin.post(`/requests/${id}/approve`);

  async function paired(options = {}) {
    const device = new DeviceClient({ gateway: base, key: await generateKey(), ...options });
    await approve(await requestOf(device));
    return device;
  }

  const requestOf = (device) => device.fetch("/").then(() => assert.fail("it is let in"), (error) => error.requestId);

  for (const [name, make] of [
    ["ES256 of WebCrypto", () => generateKey()],
    ["Ed25519 of WebCrypto", () => generateKey("Ed25519")],
    ["Ed25519 in a file", () => loadKeyFile(join(folder, "ed25519.json"))],
    ["ES256 in a file", () => loadKeyFile(join(folder, "es256.json"), { algorithm: "ES256" })],
  ]) {
    test(`a device with a key of ${name} asks, is approved, and gets in`, async () => {
      const key = await make();
      const device = new DeviceClient({ gateway: base, key, client: { displayName: name } });

      const error = await device.fetch("/work").then(() => assert.fail("it is let in"), (error) => error);

      assert.ok(error instanceof PairingRequiredError, error);
      assert.deepEqual([error.code, error.reason, error.retryable, error.retryAfter], ["pairing_required", "not-paired", true, 5]);
      assert.match(error.message, new RegExp(`requests approve ${error.requestId}$`));
      const { items } = await gate.admin.get("/requests");
      const asked = items.find(({ id }) => id === error.requestId);
      assert.equal(asked.deviceId, await deviceIdOf(key));
      assert.equal(asked.client.displayName, name);
      await approve(error.requestId);
      const answer = await device.fetch("work?query=is-not-signed");
      assert.equal(answer.status, 200);
      const seen = await answer.json();
      assert.equal(seen.url, "/work?query=is-not-signed");
      assert.equal(seen.headers["x-device-id"], await deviceIdOf(key));
      assert.equal(seen.headers["device-proof"], undefined);
    });
  }

  test("an invitation lets a device in, and then no other", async () => {
    const { secret: invitation } = await gate.admin.post("/invitations", { role: "client" });
    const [first, second] = [await generateKey(), await generateKey()].map((key) => new DeviceClient({ gateway: base, key, invitation }));

    assert.equal((await first.fetch("/work")).status, 200);
    assert.ok(await requestOf(second), "the second one has to ask");
  });

  test("session tokens take the place of proofs below their path, and an outdated one costs a proof", async () => {
    const sent = [];
    const key = await generateKey();
    const device = await paired({
      key,
      session: { path: "/tokens" },
      fetch: (input, init) => {
        sent.push([input, init.headers instanceof Headers ? init.headers.get("device-session") : null]);
        return fetch(input, init);
      },
    });
    const asked = () => sent.filter(([url]) => url.endsWith("/proxygateway/session")).length;
    const withToken = () => sent.filter(([, token]) => token);

    for (let i = 0; withToken().length < 3; i++) {
      assert.ok(i < 1000, "there is no token");
      const seen = await (await device.fetch("/tokens/work")).json();
      assert.equal(seen.headers["device-session"], undefined);
    }

    assert.equal(asked(), 1);
    sent.length = 0;
    for (const path of ["/", "/tokensx", "/other/tokens"]) assert.equal((await device.fetch(path)).status, 200);
    assert.equal((await device.fetch("/tokens/x", { method: "POST", body: new Blob(["abc"]).stream() })).status, 200);
    assert.deepEqual(withToken(), [], "neither elsewhere nor with what is sent once");
    await gate.admin.put(`/devices/${await deviceIdOf(key)}/grants/client`, { scopes: ["more.now"] }); // another record, and the token was for the one before
    assert.equal((await device.fetch("/tokens/work")).status, 200);
    assert.deepEqual(sent.slice(-2).map(([, token]) => token !== null), [true, false]);
  });

  test("the command connect and this package share the file of a key", async () => {
    const path = join(folder, "identity.json");
    const program = process.env.PROXYGATEWAY;
    const [command, ...before] = program.endsWith(".dll") ? ["dotnet", program] : [program];
    const connect = spawn(command, [...before, "connect", "ws://127.0.0.1:1", "--identity", path], { stdio: "ignore" });
    await once(connect, "close");
    assert.ok(existsSync(path), "connect makes the file before it connects");

    const device = new DeviceClient({ gateway: base, key: await loadKeyFile(path) });

    await approve(await requestOf(device));
    assert.equal((await device.fetch("/")).status, 200);
  });

  test("paths reach the gateway as the proof names them", async () => {
    const device = await paired();
    for (const [path, sent] of [
      ["/a/../b/./c", "/b/c"], ["/a/%2e%2e/b", "/b"], ["/a%2Fb%7Ec%3b", undefined], ["/ä b", "/%C3%A4%20b"], ["/a;b=c,d", undefined], ["/a=b,c@d:e", "/a=b,c@d:e"], ["\\x\\y", "/x/y"],
      ["//a//b", undefined], ["/%zz", undefined], ["/a|b^c`d", undefined], ["/'\"<>", undefined], ["/?a=b#c", "/?a=b"],
    ]) {
      const url = path.startsWith("//") ? `${base}${path}` : path;
      const answer = await device.fetch(url);
      const told = await answer.text();
      // The gateway refuses some paths, but never for what the proof says of them.
      assert.ok(answer.status !== 401 && !told.includes("htu"), `${path}: ${told}`);
      if (sent) assert.equal(JSON.parse(told).url, sent);
    }
  });

  test("fifty requests at once share nonces, and each has a proof of its own", async () => {
    const device = await paired();
    const batches = [];
    for (let i = 0; i < 5; i++) batches.push(...(await Promise.all(Array.from({ length: 10 }, (_, n) => device.fetch(`/${i}/${n}`)))));
    assert.deepEqual([...new Set(batches.map(({ status }) => status))], [200]);
  });

  test("every kind of body arrives, and every method", async () => {
    const device = await paired();
    const form = new FormData();
    form.set("file", new Blob(["abc"]), "a.txt");
    for (const body of ["abc", new URLSearchParams({ a: "bc" }), new Blob(["abcd"]), new Uint8Array(5), new ArrayBuffer(6), form]) {
      const seen = await (await device.fetch("/", { method: "POST", body })).json();
      assert.ok(seen.length > 2 && seen.method === "POST");
    }
    for (const method of ["get", "put", "delete", "PATCH", "QUERY"]) {
      const seen = await (await device.fetch("/", { method })).json();
      assert.equal(seen.method, method.toUpperCase());
    }
    assert.equal((await device.fetch("/", { method: "HEAD" })).status, 200);
    const seen = await (await device.fetch(new Request(`${base}/of-a-request`, { method: "PUT", body: "abc", headers: { "Content-Language": "de" } }))).json();
    assert.deepEqual([seen.method, seen.url, seen.length, seen.headers["content-language"]], ["PUT", "/of-a-request", 3, "de"]);
  });

  test("a body that is a stream is sent once, also by a device that has no nonce yet", async () => {
    const key = await generateKey();
    await approve(await requestOf(new DeviceClient({ gateway: base, key })));
    const device = new DeviceClient({ gateway: base, key });
    let reads = 0;
    async function* body() {
      reads++;
      for (let i = 0; i < 100; i++) yield new Uint8Array(1000);
    }

    const answer = await device.fetch("/", { method: "POST", body: ReadableStream.from(body()) });

    assert.equal((await answer.json()).length, 100_000);
    assert.deepEqual([reads, agent.bodies.filter((length) => length === 100_000).length], [1, 1]);
  });

  test("an answer of the backend stays the backend's, also one that looks like a refusal", async () => {
    const device = await paired();
    const answer = await device.fetch("/forbidden");
    assert.deepEqual([answer.status, await answer.json()], [403, { code: "not_yours" }]);
  });

  test("a redirect is not followed", async () => {
    const device = await paired();
    const stranger = await startListener((_, response) => response.end());
    const path = `/redirect?to=${stranger.url}/`;

    await assert.rejects(device.fetch(path), { code: "redirected" });
    await assert.rejects(device.fetch(path, { redirect: "follow" }), { code: "redirected" });
    assert.equal((await device.fetch(path, { redirect: "manual" })).status, 307);

    assert.deepEqual(stranger.heads, []);
    stranger.close();
  });

  test("waitUntilPaired goes on by itself", async () => {
    const device = new DeviceClient({ gateway: base, key: await generateKey() });
    const asked = [];

    const answer = await device.waitUntilPaired("/", { onWaiting: (error) => asked.push(approve(error.requestId)) });

    assert.equal(answer.status, 200);
    assert.equal(asked.length, 1);
  });

  test("waitUntilPaired ends with its signal, and with an operator's rejection", async () => {
    const device = new DeviceClient({ gateway: base, key: await generateKey() });
    const stop = new AbortController();
    const reason = new Error("enough");
    await assert.rejects(device.waitUntilPaired("/", { signal: stop.signal, onWaiting: () => stop.abort(reason) }), reason);

    await gate.admin.post(`/requests/${await requestOf(device)}/reject`);
    await assert.rejects(device.waitUntilPaired("/"), { name: "PairingRequiredError", code: "pairing_rejected", retryable: false });
  });

  suite("WebSockets", { skip: !globalThis.WebSocket && "this Node has no WebSocket" }, () => {
    test("are opened with a proof, with and without protocols of the application", async () => {
      const device = await paired();

      assert.deepEqual(await talk(device.webSocket("/silent")), { protocol: "", answer: "echo: hello (no protocol)" });
      assert.deepEqual(await talk(device.webSocket(`${base.replace("http", "ws")}/silent`, ["other", "chat"])), { protocol: "chat", answer: "echo: hello (other, chat)" });
    });

    test("lose no message that comes with the opening", async () => {
      const device = await paired();
      for (let i = 0; i < 5; i++) assert.equal((await talk(device.webSocket("/greeting"))).answer, "welcome");
    });

    test("carry binary data as the page wants it", async () => {
      const socket = (await paired()).webSocket("/silent");
      socket.binaryType = "arraybuffer";
      const [answer] = await new Promise((resolve) => {
        socket.onmessage = ({ data }) => resolve([data]);
        socket.onopen = () => socket.send(new Uint8Array([0, 1, 2, 3]).subarray(1));
      });
      assert.deepEqual([...new Uint8Array(answer)], [1, 2, 3]);
      socket.close(4000, "done");
      const [{ code }] = await once(socket, "close");
      assert.equal(code, 4000);
    });

    test("are opened once more with the nonce of the close reason, and what was sent meanwhile arrives once", async () => {
      const device = await paired();
      const old = await startWithOldNonces(gate.port);
      const key = await generateKey();
      await approve(await requestOf(new DeviceClient({ gateway: base, key })));
      let opened = 0;
      class Counted extends WebSocket {
        constructor(...args) {
          super(...args);
          opened++;
        }
      }
      const behind = new DeviceClient({ gateway: old.url, key, WebSocket: Counted });

      const socket = behind.webSocket("/silent");
      const answers = [];
      let opens = 0;
      socket.onopen = () => {
        opens++;
        const bytes = new Uint8Array([1]);
        socket.send("first");
        socket.send(bytes);
        bytes[0] = 2;
      };
      socket.binaryType = "arraybuffer";
      await new Promise((resolve) => {
        socket.onmessage = ({ data }) => answers.push(data) === 2 && resolve();
      });

      assert.deepEqual([opened, opens, answers[0], new Uint8Array(answers[1])[0]], [2, 1, "echo: first (no protocol)", 1]);
      socket.close();
      await once(socket, "close");
      assert.equal((await talk(device.webSocket("/silent"))).answer, "echo: hello (no protocol)");
      old.close();
    });

    test("end with the refusal", async () => {
      const device = new DeviceClient({ gateway: base, key: await generateKey() });
      const [{ code, refusal }] = await once(device.webSocket("/silent"), "close");
      assert.equal(code, 1008);
      assert.ok(refusal instanceof PairingRequiredError);
      assert.deepEqual([refusal.code, refusal.reason, refusal.retryable], ["pairing_required", "not-paired", true]);
      assert.equal(refusal.requestId, await requestOf(device));
    });

    test("end when an operator removes the device", async () => {
      const key = await generateKey();
      const device = new DeviceClient({ gateway: base, key });
      await approve(await requestOf(device));
      const socket = device.webSocket("/greeting");
      await once(socket, "message");

      const closed = once(socket, "close");
      await gate.admin.delete(`/devices/${await deviceIdOf(key)}`);

      const [{ code, reason, refusal }] = await closed;
      assert.deepEqual([code, reason, refusal.code, refusal.requestId], [1008, "device removed", "pairing_required", undefined]);
    });

    test("that are closed at once never open", async () => {
      const socket = (await paired()).webSocket("/silent");
      socket.onopen = () => assert.fail("it opens");
      assert.throws(() => socket.send("too early"), { name: "InvalidStateError" });
      socket.close();
      await once(socket, "close");
      assert.equal(socket.readyState, socket.CLOSED);
    });
  });

  suite("a page of an allowed origin, in Chromium", { skip: !existsSync(BROWSER) && `there is no ${BROWSER}` }, () => {
    let browser;

    before(async () => {
      browser = await createRequire(import.meta.url)("playwright-core").chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox"] });
    });

    after(() => browser.close());

    test("asks, gets in by itself, opens a WebSocket, is the same device when it comes again, and follows no redirect", async () => {
      const page = await browser.newPage();
      const complaints = [];
      page.on("console", (message) => message.type() === "error" && !/status of 40[13]/.test(message.text()) && complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(String(error)));
      const url = `http://127.0.0.1:${site.address().port}/example/?gateway=${base}/greeting`;
      await page.goto(url);
      const waiting = page.locator("#request", { hasText: "requests approve" });
      await waiting.waitFor();
      const device = await page.locator("#device").textContent();
      await approve((await waiting.textContent()).split(" ").at(-1));

      await page.locator("#socket", { hasText: "hello" }).waitFor();
      assert.match(await page.locator("#request").textContent(), new RegExp(`^200 .*"x-device-id":"${device}"`));

      await page.reload();
      await page.locator("#socket", { hasText: "hello" }).waitFor();
      assert.equal(await page.locator("#device").textContent(), device);
      assert.deepEqual(complaints, []);

      const stranger = await startListener((_, response) => response.writeHead(200, { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*" }).end());
      const code = await page.evaluate(async ([gateway, to]) => {
        const { DeviceClient, loadBrowserKey } = await import("/dist/index.js");
        const device = new DeviceClient({ gateway, key: await loadBrowserKey() });
        return device.fetch(`/redirect?to=${to}/`).then(() => "followed", (error) => error.code);
      }, [base, stranger.url]);
      assert.equal(code, "redirected");
      assert.deepEqual(stranger.heads, []);
      stranger.close();
    });

    test("cannot take the key away, and two tabs make one", async () => {
      const context = await browser.newContext();
      const pages = await Promise.all([1, 2, 3].map(async () => {
        const page = await context.newPage();
        await page.goto(`http://127.0.0.1:${site.address().port}/example/index.html?gateway=${base}/`);
        return page;
      }));
      const ids = await Promise.all(pages.map((page) => page.evaluate(async () => {
        const { deviceIdOf, loadBrowserKey } = await import("/dist/index.js");
        const keys = await Promise.all([1, 2].map(() => loadBrowserKey({ name: "shared", algorithm: "Ed25519" })));
        return Promise.all(keys.map(deviceIdOf));
      })));
      assert.equal(new Set(ids.flat()).size, 1, JSON.stringify(ids));

      const stored = await pages[0].evaluate(() => new Promise((resolve) => {
        const open = indexedDB.open("proxygateway-device-auth");
        open.onsuccess = () => {
          const get = open.result.transaction("keys").objectStore("keys").get("shared");
          get.onsuccess = () => crypto.subtle.exportKey("pkcs8", get.result.privateKey).then(() => resolve("exported"), (error) => resolve(error.name));
        };
      }));
      assert.equal(stored, "InvalidAccessError");

      const planted = await pages[0].evaluate(() => new Promise((resolve) => {
        const open = indexedDB.open("proxygateway-device-auth");
        open.onsuccess = async () => {
          const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
          const { loadBrowserKey } = await import("/dist/index.js");
          open.result.transaction("keys", "readwrite").objectStore("keys").put(pair, "planted").onsuccess = () =>
            loadBrowserKey({ name: "planted" }).then(() => resolve("loaded"), (error) => resolve(error.code));
        };
      }));
      assert.equal(planted, "key_unusable");
      const forgotten = await pages[0].evaluate(async () => {
        const { deviceIdOf, forgetBrowserKey, loadBrowserKey } = await import("/dist/index.js");
        await forgetBrowserKey("shared");
        return deviceIdOf(await loadBrowserKey({ name: "shared" }));
      });
      assert.notEqual(forgotten, ids[0][0]);
      await context.close();
    });
  });
});

/** Says hello on a WebSocket, and closes it after the first answer. */
async function talk(socket) {
  socket.onopen = () => socket.send("hello");
  const [{ data }] = await Promise.race([once(socket, "message"), once(socket, "close").then(([{ code, reason }]) => Promise.reject(new Error(`closed: ${code} ${reason}`)))]);
  const { protocol } = socket;
  socket.close();
  await once(socket, "close");
  return { protocol, answer: data };
}
