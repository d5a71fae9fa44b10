import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const START_TIMEOUT = 600_000; // of a machine that is busy with something else; a service that fails is noticed at once
const ANSWER_TIMEOUT = 5_000; // a service that is asked while it starts may never answer
const LOG_TAIL = 20_000;

export const SHARED_SECRET = "interop-secret";

/** Where the gateway of a version is installed: two come with this package, `run --all` installs the others. */
export function rootOf(version) {
  const name = { "2026.9.6": "openclaw", "2026.7.1": "openclaw-2026.7.1" }[version] ?? `.versions/${version}/node_modules/openclaw`;
  return fileURLToPath(new URL(`node_modules/${name}/`, import.meta.url));
}

/**
 * A gateway of the real thing, with an empty home and nothing to talk to but its own loopback port; with the Control UI for an origin, if one is
 * named. From 2026.8 on it can be told not to pair anybody on loopback by itself; `pairing` has what it is told.
 */
export function startAgentGateway({ version = "2026.9.6", origin, pairing } = {}) {
  return startOnPorts(1, (port) => startAgentGatewayOn(port, version, origin, pairing));
}

async function startAgentGatewayOn(port, version, origin, pairing) {
  const home = temporaryDirectory("agent");
  const configuration = join(home, "openclaw.json");
  const isNew = version.localeCompare("2026.7", "en", { numeric: true }) > 0;
  writeFileSync(configuration, JSON.stringify({
    gateway: {
      mode: "local",
      controlUi: origin ? { enabled: true, allowedOrigins: [origin] } : { enabled: false },
      ...(pairing && { nodes: { pairing } }),
    },
    ...(isNew && { update: { checkOnStart: false } }),
    ...(version === "2026.9.6" && { models: { catalogRefresh: { enabled: false } } }),
    logging: { file: join(home, "openclaw.log") },
  }));
  const service = new Service("agent gateway", home, process.execPath, [
    join(rootOf(version), "openclaw.mjs"),
    "gateway", "--port", port, "--bind", "loopback", "--token", SHARED_SECRET,
  ], {
    PATH: process.env.PATH,
    HOME: home,
    TMPDIR: home,
    OPENCLAW_CONFIG_PATH: configuration,
    OPENCLAW_DISABLE_BONJOUR: "1",
    OPENCLAW_DISABLE_BUNDLED_PLUGINS: "1",
    OPENCLAW_SKIP_CHANNELS: "1",
  });
  service.url = `http://127.0.0.1:${port}`;
  await service.ready(`${service.url}/readyz`);
  return service;
}

/**
 * The gate as it is shipped, in front of `agentGateway`, and its operators' endpoint; with another configuration and settings on top of it, if they
 * are named. With `approves` it has the gateway's shared secret, and approves there what it has granted.
 */
export function startGate(agentGateway, { config, settings, approves = false } = {}) {
  return startOnPorts(2, (port, adminPort) => startGateOn(agentGateway, approves, port, adminPort, config, settings));
}

async function startGateOn(agentGateway, approves, port, adminPort, config, settings = () => []) {
  const { PROXYGATEWAY: program, PROXYGATEWAY_CONFIG: configuration } = process.env;
  if (!program || !configuration) {
    throw new Error("set PROXYGATEWAY to the built program and PROXYGATEWAY_CONFIG to its configuration");
  }
  const directory = temporaryDirectory("gate");
  copyFileSync(config ?? configuration, join(directory, "appsettings.json"));
  const keyFile = join(directory, "admin.key");
  const tokenFile = join(directory, "openclaw.token");
  if (approves) writeFileSync(tokenFile, `${SHARED_SECRET}\n`, { mode: 0o600 });
  const [command, ...before] = program.endsWith(".dll") ? ["dotnet", program] : [program];
  const service = new Service("gate", directory, command, [
    ...before,
    `--Urls=http://127.0.0.1:${port}`,
    `--ReverseProxy:Clusters:agent:Destinations:local:Address=${agentGateway.url}`,
    `--Registry:Sqlite:Path=${join(directory, "registry.db")}`,
    `--Admin:Url=http://127.0.0.1:${adminPort}`,
    `--Admin:KeyFile=${keyFile}`,
    ...settings(port, directory),
    ...(approves ? [`--DeviceAuth:Backends:agent:OpenClaw:TokenFile=${tokenFile}`] : []),
  ], process.env);
  await service.ready(`http://127.0.0.1:${adminPort}/readyz`);
  service.url = `ws://127.0.0.1:${port}/`;
  service.port = port;
  service.adminPort = adminPort;
  service.admin = new Admin(`http://127.0.0.1:${adminPort}/admin/v1`, readFileSync(keyFile, "utf8").trim());
  return service;
}

/** The command forward before this URL, as a device that the gate lets in by itself. */
export function startForward(target, ...args) {
  return startOnPorts(1, async (port) => {
    const home = temporaryDirectory("forward");
    const { PROXYGATEWAY: program } = process.env;
    const [command, ...before] = program.endsWith(".dll") ? ["dotnet", program] : [program];
    const service = new Service("forwarder", home, command, [
      ...before, "forward", target, "--listen", `127.0.0.1:${port}`, "--identity", join(home, "device.json"), ...args,
    ], { ...process.env, HOME: home });
    service.url = `http://127.0.0.1:${port}`;
    await service.ready(service.url);
    return service;
  });
}

/** A program for Node that listens on PORT; ready as soon as it answers anything. */
export function startProgram(name, program, args) {
  return startOnPorts(1, async (port) => {
    const home = temporaryDirectory("program");
    const service = new Service(name, home, process.execPath, [program, ...args], { PATH: process.env.PATH, HOME: home, TMPDIR: home, PORT: String(port) });
    service.url = `http://127.0.0.1:${port}`;
    await service.ready(service.url, () => true);
    return service;
  });
}

/** Codex's app-server, with an empty home, which admits whom a JWT names that is signed with the secret in the file. */
export function startCodex(secretFile, audience) {
  return startOnPorts(1, async (port) => {
    const home = temporaryDirectory("codex");
    const program = fileURLToPath(new URL("node_modules/@openai/codex/bin/codex.js", import.meta.url));
    const service = new Service("codex app-server", home, process.execPath, [
      program, "app-server", "--listen", `ws://127.0.0.1:${port}`,
      "--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", secretFile, "--ws-audience", audience,
    ], { PATH: process.env.PATH, HOME: home, TMPDIR: home, CODEX_HOME: home });
    service.url = `http://127.0.0.1:${port}`;
    await service.ready(service.url, () => true);
    return service;
  });
}

/** The server of opencode, with an empty home and this password. It asks no model for anything until it is told to. */
export function startOpencode(password) {
  return startOnPorts(1, async (port) => {
    const home = temporaryDirectory("opencode");
    const service = new Service("opencode", home, fileURLToPath(new URL("node_modules/opencode-linux-x64/bin/opencode", import.meta.url)), [
      "serve", "--hostname", "127.0.0.1", "--port", port,
    ], { PATH: process.env.PATH, HOME: home, TMPDIR: home, OPENCODE_SERVER_PASSWORD: password, OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1" });
    service.url = `http://127.0.0.1:${port}`;
    await service.ready(`${service.url}/session`, () => true); // other paths it would fetch from elsewhere
    return service;
  });
}

/** The operators' endpoint. Answers JSON; throws at any other status than the documented one. */
class Admin {
  #base;
  #key;

  constructor(base, key) {
    this.#base = base;
    this.#key = key;
  }

  get = (path) => this.#send("GET", path, 200);
  post = (path, body) => this.#send("POST", path, 200, body);
  put = (path, body) => this.#send("PUT", path, 200, body);
  delete = (path) => this.#send("DELETE", path, 204);

  async #send(method, path, expected, content) {
    const response = await fetch(this.#base + path, {
      method,
      headers: { Authorization: `Bearer ${this.#key}`, ...(content && { "Content-Type": "application/json" }) },
      body: content && JSON.stringify(content),
      signal: AbortSignal.timeout(10_000),
    });
    const body = await response.text();
    if (response.status !== expected) {
      throw new Error(`${method} ${path}: ${response.status} instead of ${expected}: ${body}`);
    }
    return body ? JSON.parse(body) : undefined;
  }
}

const running = new Set();

export function serviceLogs() {
  return [...running].map((service) => service.log).join("\n");
}

export async function stopServices() {
  await Promise.all([...running].map((service) => service.stop()));
}

process.on("exit", () => running.forEach((service) => service.kill()));
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) {
  process.on(signal, () => stopServices().finally(() => process.exit(1)));
}

class Service {
  #process;
  #exited;
  #log = "";

  constructor(name, directory, command, args, env) {
    this.name = name;
    this.directory = directory;
    // A process group of its own, so that whatever it starts can be killed with it.
    this.#process = spawn(command, args.map(String), { cwd: directory, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    for (const output of [this.#process.stdout, this.#process.stderr]) {
      output.setEncoding("utf8").on("data", (text) => (this.#log = (this.#log + text).slice(-LOG_TAIL)));
    }
    this.#exited = once(this.#process, "close").catch((error) => (this.#log += error));
    running.add(this);
  }

  get log() {
    return `--- ${this.name}\n${this.#log}`;
  }

  async ready(url, isReady = (response) => response.ok) {
    const deadline = AbortSignal.timeout(START_TIMEOUT);
    let last = "nothing yet";
    while (!deadline.aborted) {
      if (this.#process.pid === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null) {
        await this.stop();
        throw new Error(`the ${this.name} stopped at start\n${this.log}`);
      }
      try {
        const response = await fetch(url, { signal: AbortSignal.any([deadline, AbortSignal.timeout(ANSWER_TIMEOUT)]) });
        last = `${response.status} ${await response.text()}`;
        if (isReady(response)) return;
        if (response.status === 404 && (await challenges(url))) return; // older versions have no such endpoint
      } catch (error) {
        last = error.cause ?? error;
      }
      await delay(100);
    }
    throw new Error(`the ${this.name} was not ready in ${START_TIMEOUT / 1000} s: ${url} answered ${last}\n${this.log}`);
  }

  kill() {
    try {
      process.kill(-this.#process.pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }

  async stop() {
    this.kill();
    await this.#exited;
    running.delete(this);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Whether a gateway answers WebSockets. */
function challenges(url) {
  const socket = new WebSocket(new URL("/", url.replace("http", "ws")));
  return new Promise((resolve) => {
    socket.onmessage = () => resolve(true);
    socket.onerror = () => resolve(false);
  }).finally(() => socket.close());
}

export function temporaryDirectory(name) {
  return mkdtempSync(join(tmpdir(), `proxygateway-interop-${name}-`));
}

const MOST_PORTS = 5;
const portsTaken = new Set();

/**
 * Starts a service on ports of its own; if somebody else listens on one of them by then, on others.
 * The kernel gives none of these ports to an outgoing connection.
 */
async function startOnPorts(count, start) {
  for (let attempt = 1; ; attempt++) {
    const ports = [];
    while (ports.length < count) ports.push(await takePort());
    try {
      return await start(...ports);
    } catch (error) {
      if (attempt === MOST_PORTS || !/EADDRINUSE|address already in use/i.test(error.message)) throw error;
    }
  }
}

async function takePort() {
  const [first] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/).map(Number);
  while (true) {
    const port = first > 10_500 ? randomInt(10_000, first) : randomInt(10_000, 65_536);
    if (portsTaken.has(port)) continue;
    portsTaken.add(port);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue; // somebody listens there
    }
    await once(server.close(), "close");
    return port;
  }
}
