import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, suite, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Device } from "./device.mjs";
import { rootOf, serviceLogs, SHARED_SECRET, startAgentGateway, startGate, stopServices, temporaryDirectory } from "./services.mjs";

const VERSIONS = (process.env.INTEROP_VERSIONS ?? "2026.7.1 2026.9.6").split(" ");
const WAIT = 180_000;
const READ = ["operator.read"];
const WRITE = ["operator.read", "operator.write"];

// The clients of a version keep what they know in the home folder.
const home = temporaryDirectory("clients");
Object.assign(process.env, { HOME: home, OPENCLAW_STATE_DIR: join(home, ".openclaw") });
after(() => rmSync(home, { recursive: true, force: true }));

/** What each version does, a line each: for docs/openclaw.md. */
const table = [];
const COLUMNS = ["version", "new device", "more scopes", "operator to node", "node to operator", "other platform", "its client waits for an operator"];
after(() => {
  if (!process.env.INTEROP_TABLE) return;
  const rows = [COLUMNS, COLUMNS.map(() => "---"), ...table.map((row) => COLUMNS.map((column) => row[column] ?? "?"))];
  writeFileSync(process.env.INTEROP_TABLE, rows.map((row) => `| ${row.join(" | ")} |\n`).join(""));
});

for (const version of VERSIONS) {
  suite(`OpenClaw ${version} and its own client`, { timeout: 1_800_000 }, () => {
    const CLEANS_UP = version.localeCompare("2026.8", "en", { numeric: true }) > 0;
    let Client, gateway, told, approving;
    const connections = [];
    const row = { version };

    before(async () => {
      Client = await clientOf(version);
      gateway = await startAgentGateway({ version });
      told = await startGate(gateway); // by which somebody only hears of the second question
      approving = await startGate(gateway, { approves: true });
      table.push(row);
    });

    afterEach(async (context) => {
      if (!context.passed) {
        const seen = connections.map((connection, index) => `--- client ${index + 1}\n${connection.history.join("\n")}`);
        console.error([...seen, serviceLogs()].join("\n"));
      }
      await stopAll();
    });

    after(stopServices);

    async function stopAll() {
      await Promise.all(connections.splice(0).map((connection) => connection.stop()));
    }

    /** Connects until it is in, or the backend has refused; what needs an operator of the gate is approved. */
    async function ask(gate, device, options) {
      const outcome = { approvals: 0, errors: [], restarts: 0 };
      let connection = connect(gate, device, options);
      let known = 0;
      while (true) {
        const hello = await within(either(connection, known), `${version} to answer`);
        if (hello) {
          outcome.errors.push(...connection.refusals.slice(known));
          await stopAll();
          return { ...outcome, hello };
        }
        const refusal = connection.refusals[known++];
        const open = (await gate.admin.get("/requests")).items.filter(({ deviceId }) => deviceId === device.id);
        if (open.length === 0) {
          const late = await Promise.race([connection.connected, delay(4_000)]); // some backends have changed their mind by then
          await stopAll();
          return { ...outcome, refusal, hello: late };
        }
        for (const { id } of open) {
          await gate.admin.post(`/requests/${id}/approve`);
          outcome.approvals++;
        }
        if (await Promise.race([either(connection, known).then(() => false), connection.gaveUp.then(() => true), delay(12_000, true)])) {
          await stopAll(); // it has stopped for good, or says nothing of it
          outcome.restarts++;
          connection = connect(gate, device, options);
          known = 0;
        }
      }
    }

    function connect(gate, device, options) {
      const connection = device.connect(gate.url, { token: SHARED_SECRET, ...options });
      connections.push(connection);
      return connection;
    }

    /** Resolves with the hello, or without one when there are more refusals than are known. */
    async function either(connection, known) {
      while (connection.refusals.length <= known) {
        const hello = await Promise.race([connection.connected, delay(20, null)]);
        if (hello) return hello;
      }
    }

    /** How the gate without the secret fares, for the table; and that with it a client gets in without an error of the backend's. */
    async function compare(column, prepare, options, approvals) {
      const results = [];
      for (const gate of [told, approving]) {
        const device = new Device(Client);
        for (const before of prepare) assert.ok((await ask(gate, device, before)).hello, `${column}: what comes before`);
        results.push(await ask(gate, device, options));
      }
      const [without, withSecret] = results;
      const asks = without.refusal && `asks (\`${without.refusal.details?.reason ?? without.refusal.message}\`)`;
      row[column] = !asks ? "silent" : without.hello ? `${asks}, and lets in at the next try` : `${asks}, the gate answers`;
      assert.ok(withSecret.hello, `${column}: ${withSecret.refusal}`);
      assert.equal(withSecret.approvals, approvals, "operators' decisions at the gate");
      assert.deepEqual(withSecret.errors, [], "no error beside the gate's own");
      return results;
    }

    test("a new device", () => compare("new device", [], { scopes: READ }, 0));

    test("more scopes", async () => {
      const [without] = await compare("more scopes", [{ scopes: READ }], { scopes: WRITE }, 0);
      if (!without.refusal) return;
      assert.match(without.refusal.details.remediationHint, /openclaw devices approve /);
      assert.equal(without.refusal.details.pauseReconnect, false);
    });

    test("an operator becomes a node, after one approval at the gate", async () => {
      const [, { restarts }] = await compare("operator to node", [{ scopes: READ }], { role: "node" }, 1);
      row["its client waits for an operator"] = restarts === 0 ? "yes" : "no: start it again";
    });

    test("a node becomes an operator, after one approval at the gate", () =>
      compare("node to operator", [{ role: "node" }], { scopes: READ }, 1));

    test("another platform", () => compare("other platform", [{ scopes: READ }], { scopes: READ, platform: "darwin" }, 0));

    // From 2026.8 on a gateway deletes what it has paired by itself as soon as another client looks the same.
    test("what the gate approves is spared by the backend's clean-up", { skip: !CLEANS_UP }, async () => {
      const asked = await startAgentGateway({ version, pairing: { autoApproveLocal: false } });
      const gate = await startGate(asked, { approves: true });
      const device = new Device(Client);
      await ask(gate, device, { scopes: READ });

      const owner = connect(gate, new Device(Client), { scopes: ["operator.admin"] });
      await within(owner.connected, "an owner to get in");
      const { paired } = await owner.request("device.pair.list");

      assert.equal(paired.find(({ deviceId }) => deviceId === device.id).approvedVia, "owner");
      assert.ok(paired.every(({ approvedVia }) => approvedVia === "owner"));
    });

    // That minute is waited for in `run --all` alone.
    test("after a minute the backend's clean-up deletes what it has paired by itself, and not what the gate has approved", { skip: !CLEANS_UP || !process.env.INTEROP_TABLE }, async () => {
      const silent = await startGate(await startAgentGateway({ version }));
      const approved = await startGate(await startAgentGateway({ version, pairing: { autoApproveLocal: false } }), { approves: true });
      const [deleted, spared] = [new Device(Client), new Device(Client)];
      assert.ok((await ask(silent, deleted, { scopes: READ })).hello);
      assert.ok((await ask(approved, spared, { scopes: READ })).hello);

      await delay(65_000);
      for (const gate of [silent, approved]) assert.ok((await ask(gate, new Device(Client), { scopes: READ })).hello);

      assert.ok((await ask(approved, spared, { scopes: READ, token: undefined })).hello, "its own token still counts");
      const { refusal, hello } = await ask(silent, deleted, { scopes: READ, token: undefined });
      assert.equal(hello, undefined);
      assert.equal(refusal.details.code, "AUTH_DEVICE_TOKEN_MISMATCH");
      assert.match(silent.log, /does not know the token that it has issued/);
    });
  });
}

/** The class of the clients that come with a version. */
async function clientOf(version) {
  const dist = join(rootOf(version), "dist");
  const runtime = join(dist, "plugin-sdk", "gateway-runtime.js");
  const files = readdirSync(dist).filter((name) => /^client-.*\.js$/.test(name)).map((name) => join(dist, name));
  for (const file of [runtime, ...files]) {
    try {
      if (!readFileSync(file, "utf8").includes("GatewayClient")) continue;
      const found = Object.values(await import(pathToFileURL(file))).find((value) => value?.name === "GatewayClient");
      if (found) return found;
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  throw new Error(`no GatewayClient in ${dist}`);
}

async function within(promise, what) {
  const { promise: late, reject } = Promise.withResolvers();
  const timer = setTimeout(() => reject(new Error(`waited ${WAIT / 1000} s for ${what}`)), WAIT);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
