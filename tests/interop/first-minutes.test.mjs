import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { after, before, suite, test } from "node:test";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { temporaryDirectory } from "./services.mjs";

const run = promisify(execFile);
const [SERVER, CLIENT] = ["gate", "client"].map((name) => `pg-${name}-${process.pid}`);
const ADDRESS = "192.0.2.10"; // of the example in README.md; each machine here is a network namespace of its own
const URL_OF_SERVER = `https://${ADDRESS}:8443/mcp`;

suite("a person's first ten minutes, as README.md has them", { timeout: 300_000, skip: whyNot() }, () => {
  const folder = temporaryDirectory("first-minutes");
  const [home, gate] = [join(folder, "home"), join(folder, "gate")];
  const running = [];
  let invitation;

  before(() => {
    mkdirSync(home);
    mkdirSync(gate);
    for (const line of [
      `link add pg${process.pid}a netns ${SERVER} type veth peer name pg${process.pid}b netns ${CLIENT}`,
      `-n ${SERVER} addr add ${ADDRESS}/24 dev pg${process.pid}a`, `-n ${CLIENT} addr add 192.0.2.20/24 dev pg${process.pid}b`,
      `-n ${SERVER} link set pg${process.pid}a up`, `-n ${CLIENT} link set pg${process.pid}b up`, `-n ${SERVER} link set lo up`, `-n ${CLIENT} link set lo up`,
    ]) assert.equal(ip(line).status, 0, line);
  });

  after(async () => {
    for (const child of running) child.kill("SIGKILL");
    for (const name of [SERVER, CLIENT]) ip(`netns del ${name}`);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test("a server and the gate before it start", async () => {
    await start(SERVER, [process.execPath, fileURLToPath(new URL("node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url)), "streamableHttp"], "listening on port 3001");
    copyFileSync(new URL("../../config/any-agent.json", import.meta.url), join(gate, "appsettings.json"));
    await run("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=gate -keyout gate.key -out gate.crt -addext".split(" "), `subjectAltName=IP:${ADDRESS}`,
    ], { cwd: gate });
    await start(SERVER, [
      ...program(), "--Urls=https://0.0.0.0:8443", "--Kestrel:Certificates:Default:Path=gate.crt", "--Kestrel:Certificates:Default:KeyPath=gate.key",
      "--ReverseProxy:Clusters:agent:Destinations:local:Address=http://127.0.0.1:3001", `--DeviceAuth:PublicOrigins:0=https://${ADDRESS}:8443`,
    ], "Application started");
  });

  test("an operator makes an invitation", async () => {
    const { stdout } = await at(SERVER, ...program(), "invite", URL_OF_SERVER);
    invitation = stdout.match(/https:\S+#invitation=\S+/)[0];
  });

  test("a device on another machine is let in by it, and by nothing less", async () => {
    const fails = (...args) => at(CLIENT, ...program(), ...args).then(() => assert.fail("it is let in"), ({ stderr }) => stderr);
    assert.match(await fails("pair", invitation), /certificate .*--ca/s);
    assert.match(await fails("pair", invitation.replace("https", "http")), /https/);

    const { stdout } = await at(CLIENT, ...program(), "pair", "--ca", join(gate, "gate.crt"), invitation);

    assert.match(stdout, /paired .*let in/);
  });

  test("a host of MCP servers starts what --print-config prints, with little of the environment", async () => {
    const { stdout } = await at(CLIENT, ...program(), "mcp", URL_OF_SERVER, "--ca", join(gate, "gate.crt"), "--print-config", "cursor");
    const [{ command, args }] = Object.values(JSON.parse(stdout).mcpServers);
    const inspector = new URL("node_modules/@modelcontextprotocol/inspector/", import.meta.url);
    const { bin } = JSON.parse(readFileSync(new URL("package.json", inspector), "utf8"));

    const inspected = await at(CLIENT, process.execPath, fileURLToPath(new URL(bin.inspector, inspector)), "--cli", "--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello", "--", command, ...args);

    assert.match(JSON.parse(inspected.stdout).content[0].text, /hello/);
  });

  /** Runs a program to its end on one of the machines. */
  function at(machine, ...line) {
    return run("ip", ["netns", "exec", machine, ...line], { cwd: machine === SERVER ? gate : home, env: { ...process.env, HOME: home }, maxBuffer: 16 << 20 });
  }

  /** Starts a program that does not end by itself; it is ready once it has printed the sign. */
  async function start(machine, line, sign) {
    const child = spawn("ip", ["netns", "exec", machine, ...line], { cwd: gate, env: { ...process.env, HOME: home }, stdio: ["ignore", "pipe", "pipe"] });
    running.push(child);
    let log = "";
    const ended = once(child, "close").then(() => true);
    for (const output of [child.stdout, child.stderr]) output.setEncoding("utf8").on("data", (text) => (log += text));
    while (!log.includes(sign)) {
      const hasEnded = await Promise.race([ended, once(child.stdout, "data").then(() => false), once(child.stderr, "data").then(() => false)]);
      assert.ok(!hasEnded, log);
    }
  }
});

function program() {
  const { PROXYGATEWAY: path } = process.env;
  return path.endsWith(".dll") ? ["dotnet", path] : [path];
}

function ip(line) {
  return spawnSync("ip", line.split(" "), { encoding: "utf8" });
}

/** Why there can be no second machine here; false if there can. Makes both. */
function whyNot() {
  for (const name of [SERVER, CLIENT]) {
    const { status, error, stderr } = ip(`netns add ${name}`);
    if (status !== 0) return `network namespaces are not permitted here: ${error?.message ?? stderr.trim()}`;
  }
  return spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not installed";
}
