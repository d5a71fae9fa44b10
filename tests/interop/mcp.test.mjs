import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { after, before, suite, test } from "node:test";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client, DpopSession, StreamableHTTPClientTransport, withDpop } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { dpopDevice } from "./proofs.mjs";
import { startGate, startProgram, stopServices, temporaryDirectory } from "./services.mjs";
import { mcpCommand, startStdioServer } from "./stdio.mjs";

const run = promisify(execFile);
const INSPECTOR = new URL("node_modules/@modelcontextprotocol/inspector/", import.meta.url);
const CONFIG = new URL("../../config/any-agent.json", import.meta.url);

suite("an MCP server behind the gate", { timeout: 300_000 }, () => {
  let server, gate;

  before(async () => {
    server = await startEverything();
    gate = await startGate(server, { config: CONFIG });
  });

  after(stopServices);

  test("scores as it does without the gate, scenario by scenario", async () => {
    const forwarder = await startForwarder(`http://127.0.0.1:${gate.port}`);
    try {
      const [without, through] = [await conformance(`${server.url}/mcp`), await conformance(`${forwarder.url}/mcp`)];

      assert.ok(without.length >= 30, `only ${without.length} scenarios ran`);
      // The one scenario that the gate passes and this server does not: a page that had its name rebound.
      const rebinding = (line) => line.includes("dns-rebinding-protection");
      assert.deepEqual(through.filter((line) => !rebinding(line)), without.filter((line) => !rebinding(line)));
      assert.match(through.find(rebinding), /^✓/u);
    } finally {
      forwarder.close();
    }
  });
});

suite("a client of MCP's own SDK that can only do standard DPoP", { timeout: 120_000 }, () => {
  let gate;

  before(async () => {
    gate = await startGate(await startEverything(), {
      config: CONFIG,
      settings: () => ["--ReverseProxy:Routes:agent:Metadata:DeviceAuth.ProofHeader=DPoP"],
    });
  });

  after(stopServices);

  for (const alg of ["ES256", "EdDSA"]) {
    test(`gets in with ${alg}, lists the tools and calls one`, async () => {
      const session = await DpopSession.create({ alg });
      // The token is the server's business: the gate looks at the proof, which names the token's hash.
      const transport = new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${gate.port}/mcp`), {
        fetch: withDpop(session, () => "a-token-of-the-server")(fetch),
      });
      const client = new Client({ name: "interop", version: "1" });

      await client.connect(transport);

      assert.ok((await client.listTools()).tools.some((tool) => tool.name === "echo"));
      const { content } = await client.callTool({ name: "echo", arguments: { message: "hello" } });
      assert.match(content[0].text, /hello/);
      await client.close();
    });
  }
});

suite("proxygateway mcp, started by a host", { timeout: 300_000 }, () => {
  let server, gate, command;

  before(async () => {
    server = await startEverything();
    gate = await startGate(server, { config: CONFIG });
    command = mcpCommand(`http://127.0.0.1:${gate.port}/mcp`, join(temporaryDirectory("device"), "device.json"));
  });

  after(stopServices);

  test("lets MCP's own SDK list and call tools, hear their progress and answer the server's questions", async () => {
    const client = new Client({ name: "interop", version: "1" }, { capabilities: { sampling: {}, roots: {} } });
    client.setRequestHandler("sampling/createMessage", async () => ({ role: "assistant", model: "none", content: { type: "text", text: "sampled here" } }));
    client.setRequestHandler("roots/list", async () => ({ roots: [{ uri: "file:///here", name: "here" }] }));
    await client.connect(new StdioClientTransport(command));

    assert.ok((await client.listTools()).tools.some((tool) => tool.name === "echo"));
    const progress = [];
    const long = await client.callTool(
      { name: "trigger-long-running-operation", arguments: { duration: 0.5, steps: 5 } },
      { onprogress: ({ progress: step }) => progress.push(step) },
    );
    const sampled = await client.callTool({ name: "trigger-sampling-request", arguments: { prompt: "say something", maxTokens: 10 } });

    assert.match(long.content[0].text, /completed/);
    assert.ok(progress.length > 0);
    assert.match(JSON.stringify(sampled.content), /sampled here/);
    await client.close();
  });

  test("five at once make one key, and each is served", async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, async () => {
      const client = new Client({ name: "interop", version: "1" });
      await client.connect(new StdioClientTransport(command));
      return client;
    }));

    const texts = await Promise.all(clients.map((client, i) => client.callTool({ name: "echo", arguments: { message: `${i}` } })));

    texts.forEach(({ content }, i) => assert.match(content[0].text, new RegExp(`${i}`)));
    assert.equal((await gate.admin.get("/devices")).items.length, 1);
    await Promise.all(clients.map((client) => client.close()));
  });

  test("lets the inspector of MCP list and call tools from its command line", async () => {
    const { bin } = JSON.parse(readFileSync(new URL("package.json", INSPECTOR), "utf8"));
    const inspect = async (...args) => {
      const line = [fileURLToPath(new URL(bin.inspector, INSPECTOR)), "--cli", ...args, "--", command.command, ...command.args];
      return JSON.parse((await run(process.execPath, line, { maxBuffer: 16 << 20, env: { ...process.env, HOME: temporaryDirectory("inspector") } })).stdout);
    };

    const { tools } = await inspect("--method", "tools/list");
    const { content } = await inspect("--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello");

    assert.ok(tools.some(({ name }) => name === "echo"));
    assert.match(content[0].text, /hello/);
  });

  test("scores as the server does without it, scenario by scenario", async () => {
    const stdio = await startStdioServer(command);
    try {
      const [without, through] = [await conformance(`${server.url}/mcp`), await conformance(`${stdio.url}/mcp`)];

      assert.ok(without.length >= 30, `only ${without.length} scenarios ran`);
      // Those about HTTP itself (dns-rebinding-protection, server-sse-*) judge what stands before the program here; it comes to the same.
      assert.deepEqual(through, without);
    } finally {
      stdio.close();
    }
  });
});

function startEverything() {
  return startProgram("MCP server", fileURLToPath(new URL("node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url)), ["streamableHttp"]);
}

/** The lines of the conformance suite's summary. */
async function conformance(url) {
  const program = fileURLToPath(new URL("node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url));
  const { stdout } = await run(process.execPath, [program, "server", "--url", url], { maxBuffer: 16 << 20 }).catch((error) => error); // it fails where a scenario does
  return stdout.split("\n").filter((line) => /^[✓✗] /u.test(line));
}

/** A program beside a client that cannot make proofs: passes each request on with one. */
async function startForwarder(gate) {
  const device = await dpopDevice("ES256");
  let nonce;
  const forwarder = createServer(async (request, response) => {
    nonce ??= (await fetch(new URL("/.well-known/proxygateway/nonce", gate))).headers.get("device-nonce");
    const { method, url, headers } = request;
    const proof = await device.prove(gate + url, { method, nonce });
    const forwarded = httpRequest(gate + url, { method, headers: { ...headers, "device-proof": proof } }, (answer) => {
      nonce = answer.headers["device-nonce"] ?? nonce;
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    response.on("close", () => forwarded.destroy());
    request.pipe(forwarded);
  });
  forwarder.listen(0, "127.0.0.1");
  await once(forwarder, "listening");
  forwarder.url = `http://127.0.0.1:${forwarder.address().port}`;
  return forwarder;
}
