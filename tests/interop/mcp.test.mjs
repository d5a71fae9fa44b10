import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client, DpopSession, StreamableHTTPClientTransport, withDpop } from "@modelcontextprotocol/client";
import { dpopDevice } from "./proofs.mjs";
import { startGate, startProgram, stopServices } from "./services.mjs";

const run = promisify(execFile);
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
