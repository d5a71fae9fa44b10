import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, suite, test } from "node:test";
import { promisify } from "node:util";
import { rootOf, serviceLogs, SHARED_SECRET, startAgentGateway, startGate, stopServices, temporaryDirectory } from "./services.mjs";

const VERSIONS = ["2026.7.1", "2026.9.6"];
const run = promisify(execFile);

// OpenClaw's own command line, which sends no device to a loopback address if it has the shared token.
for (const version of VERSIONS) {
  suite(`the command line of OpenClaw ${version}, which has no device`, { timeout: 1_800_000 }, () => {
    const home = temporaryDirectory("cli");
    let gateway;

    before(async () => {
      gateway = await startAgentGateway({ version });
    });

    afterEach((context) => {
      if (!context.passed) console.error(serviceLogs());
    });

    after(async () => {
      await stopServices();
      rmSync(home, { recursive: true, force: true });
    });

    function call(gate, method) {
      return run(process.execPath, [
        join(rootOf(version), "openclaw.mjs"),
        "gateway", "call", method, "--url", gate.url, "--token", SHARED_SECRET, "--timeout", "30000", "--json",
      ], {
        env: { PATH: process.env.PATH, HOME: home, TMPDIR: home, OPENCLAW_STATE_DIR: join(home, ".openclaw"), OPENCLAW_DISABLE_BUNDLED_PLUGINS: "1", NO_COLOR: "1" },
        timeout: 180_000,
      });
    }

    function start(...upTo) {
      return startGate(gateway, {
        settings: () => [
          `--DeviceAuth:SharedToken:Sha256=${createHash("sha256").update(SHARED_SECRET).digest("hex")}`,
          ...(upTo.length ? ["--DeviceAuth:Pairing:Deviceless:Users:0=self"] : []),
          ...upTo.map((scope, index) => `--DeviceAuth:Pairing:Deviceless:UpTo:operator:${index}=${scope}`),
        ],
      });
    }

    test("is let in by the rule, and called by its user", async () => {
      const gate = await start("operator.admin");

      const { stdout } = await call(gate, "health");

      assert.equal(JSON.parse(stdout).ok, true);
      const { items } = await gate.admin.get("/audit?limit=100");
      const admitted = items.filter(({ kind }) => kind === "device-admitted");
      assert.ok(admitted.length > 0);
      assert.ok(admitted.every(({ user, deviceId }) => user === process.getuid() && deviceId === undefined));
      assert.deepEqual((await gate.admin.get("/devices")).items, []);
    });

    test("is refused without the rule", async () => {
      const gate = await start();

      await assert.rejects(call(gate, "health"), ({ stdout, stderr }) => /device identity required/.test(stdout + stderr));
    });

    test("is refused for more than the rule allows", async () => {
      const gate = await start("operator.talk");

      await assert.rejects(call(gate, "health"), ({ stdout, stderr }) => /device identity required/.test(stdout + stderr));
    });
  });
}
