import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, afterEach, before, suite, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { serviceLogs, SHARED_SECRET, startAgentGateway, startGate, stopServices } from "./services.mjs";

const ORIGIN = "https://agent.example.com"; // as config/openclaw-control-ui.json has it
const BROWSER = process.env.PROXYGATEWAY_TEST_CHROMIUM ?? "/usr/bin/chromium";
const WAIT = 60_000;

const missing = [BROWSER, "/usr/bin/openssl"].filter((path) => !existsSync(path));

suite("the Control UI in a browser, through the gate", { timeout: 300_000, skip: missing.length > 0 && `there is no ${missing}` }, () => {
  let gate, browser, page;
  const seen = [];

  before(async () => {
    gate = await startGate(await startAgentGateway({ origin: ORIGIN }), {
      config: fileURLToPath(new URL("../../config/openclaw-control-ui.json", import.meta.url)),
      settings: (port, directory) => [`--Urls=https://127.0.0.1:${port}`, ...certificate(directory)],
    });
    const { chromium } = createRequire(createRequire(import.meta.url).resolve("openclaw"))("playwright-core");
    browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox", `--host-resolver-rules=MAP agent.example.com:443 127.0.0.1:${gate.port}`] });
    page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    page.on("response", (response) => seen.push({ status: response.status(), path: new URL(response.url()).pathname }));
  });

  afterEach((context) => {
    if (!context.passed) console.error([JSON.stringify(seen), serviceLogs()].join("\n"));
  });

  after(async () => {
    await browser?.close();
    await stopServices();
  });

  test("the page loads, asks, and gets in by itself once an operator approves its browser", async () => {
    const socket = page.waitForEvent("websocket", { timeout: WAIT });
    const answers = [];
    page.on("websocket", (opened) => opened.on("framereceived", ({ payload }) => answers.push(String(payload))));
    await page.goto(`${ORIGIN}/#token=${SHARED_SECRET}`, { timeout: WAIT });
    assert.equal((await socket).url(), "wss://agent.example.com/");

    const request = await until(async () => (await gate.admin.get("/requests")).items[0], "the browser to ask");
    assert.equal(request.client.id, "openclaw-control-ui");
    assert.equal(request.reason, "not-paired");
    assert.ok(!answers.some((answer) => answer.includes('"hello-ok"')), "nobody gets in unasked");
    await gate.admin.post(`/requests/${request.id}/approve`);

    await until(() => answers.some((answer) => answer.includes('"hello-ok"')), "the page to get in");
    await until(() => answers.some((answer) => /"ok":true,"payload":\{"defaultId"/.test(answer)), "the page to be answered");
    await page.getByText("Model Setup").first().waitFor({ timeout: WAIT });
  });

  test("the page needs nothing that is closed but its bootstrap configuration and the icons of model providers", () => {
    const closed = new Set(seen.filter(({ status }) => status >= 400).map(({ path }) => path));
    // The page asks for these icons once its list of providers has come, which may be before or after this test looks.
    const needed = [...closed].filter((path) => !path.startsWith("/__openclaw__/catalog-icon/"));
    assert.deepEqual(needed, ["/control-ui-config.json"]);
    assert.ok(seen.filter(({ status, path }) => status === 200 && path.startsWith("/assets/")).length > 10);
  });

  test("one of its own addresses loads again", async () => {
    const socket = page.waitForEvent("websocket", { timeout: WAIT });
    const response = await page.goto(`${ORIGIN}/settings/appearance`, { timeout: WAIT });

    assert.equal(response.status(), 200);
    assert.equal((await socket).url(), "wss://agent.example.com/");
    assert.equal(new URL(page.url()).pathname, "/settings/appearance");
  });

  test("what else the gateway answers is closed", async () => {
    // The Control UI reloads itself when it likes, and takes a request under way along; a page of plain text does not.
    const asset = seen.find(({ status, path }) => status === 200 && path.startsWith("/assets/") && path.endsWith(".js"));
    const plain = await page.context().newPage();
    await plain.goto(`${ORIGIN}${asset.path}`, { timeout: WAIT });
    for (const path of ["/readyz", "/v1/models", "/tools/invoke", "/avatar/main", "/control-ui-config.json", "/share/session", "/sessions/main/history"]) {
      const status = await plain.evaluate(async (path) => (await fetch(path)).status, path);
      assert.equal(status, 404, path);
    }
  });
});

function certificate(directory) {
  const [path, key] = [join(directory, "fullchain.pem"), join(directory, "privkey.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
    "-subj", "/CN=agent.example.com", "-keyout", key, "-out", path], { stdio: "ignore" });
  return [`--Kestrel:Certificates:Default:Path=${path}`, `--Kestrel:Certificates:Default:KeyPath=${key}`];
}

async function until(condition, what) {
  const deadline = Date.now() + WAIT;
  while (Date.now() < deadline) {
    const value = await condition();
    if (value) return value;
    await delay(100);
  }
  throw new Error(`waited ${WAIT / 1000} s for ${what}`);
}
