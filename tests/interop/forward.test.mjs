import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, suite, test } from "node:test";
import { join } from "node:path";
import { promisify } from "node:util";
import OpenAI from "openai";
import { startForward, startGate, stopServices, temporaryDirectory } from "./services.mjs";

const run = promisify(execFile);
const CONFIG = new URL("../../config/any-agent.json", import.meta.url);
const WORDS = ["Hello", " from", " behind", " the", " gate"];

suite("proxygateway forward, for clients that know nothing of proofs", { timeout: 120_000 }, () => {
  let agent, forward;

  before(async () => {
    agent = await startAgent();
    const gate = await startGate(agent, { config: CONFIG });
    forward = await startForward(`http://127.0.0.1:${gate.port}`);
  });

  after(async () => {
    await stopServices();
    agent.closeAllConnections();
    agent.close();
  });

  test("the client of OpenAI's SDK streams a completion, word by word", async () => {
    const client = new OpenAI({ baseURL: `${forward.url}/v1`, apiKey: "of-the-agent" });
    const stream = await client.chat.completions.create({ model: "scripted", stream: true, messages: [{ role: "user", content: "hello" }] });
    const words = [];

    for await (const { choices } of stream) {
      const word = choices[0].delta.content;
      if (!word) continue;
      words.push(word);
      agent.emit("next"); // the agent sends one more only when this one has come
    }

    assert.deepEqual(words, WORDS);
    const { headers, body } = agent.heard.at(-1);
    assert.equal(headers.authorization, "Bearer of-the-agent");
    assert.match(headers["x-device-id"], /^[0-9a-f]{64}$/);
    assert.equal(headers["device-proof"], undefined);
    assert.equal(body.messages[0].content, "hello");
  });

  test("it tries again when the agent is busy, and gets an answer in one piece", async () => {
    const client = new OpenAI({ baseURL: `${forward.url}/v1`, apiKey: "of-the-agent", maxRetries: 2 });
    agent.isBusy = true;

    const { choices } = await client.chat.completions.create({ model: "scripted", messages: [{ role: "user", content: "hello" }] });

    assert.equal(choices[0].message.content, WORDS.join(""));
    assert.equal(agent.isBusy, false);
  });

  test("it leaves a stream, and the agent hears of that", async () => {
    const client = new OpenAI({ baseURL: `${forward.url}/v1`, apiKey: "of-the-agent" });
    const stream = await client.chat.completions.create({ model: "scripted", stream: true, messages: [{ role: "user", content: "hello" }] });
    await stream[Symbol.asyncIterator]().next();
    const left = once(agent, "left");

    stream.controller.abort();

    await left;
  });

  const skip = spawnSync("curl", ["--version"]).status === 0 ? false : "curl is not installed";
  test("curl asks, uploads a file of unknown and of known length, reads events and resumes a download", { skip }, async () => {
    const folder = temporaryDirectory("curl");
    const file = join(folder, "file");
    writeFileSync(file, "x".repeat(300_000));
    const curl = async (...args) => (await run("curl", ["--silent", "--show-error", "--fail", "--max-time", "60", "--noproxy", "*", ...args], { maxBuffer: 4 << 20 })).stdout;

    assert.equal(JSON.parse(await curl(`${forward.url}/echo/a%20b?q=1&q=2`)).url, "/echo/a%20b?q=1&q=2");
    assert.equal(JSON.parse(await curl("--data-binary", `@${file}`, `${forward.url}/echo`)).length, 300_000);
    assert.equal(JSON.parse(await curl("--upload-file", file, "--header", "Transfer-Encoding: chunked", `${forward.url}/echo`)).length, 300_000);
    assert.equal((await curl("--no-buffer", `${forward.url}/events`)).trim().split("\n\n").length, 3);
    assert.equal(await curl("--range", "2-4", `${forward.url}/range`), "234");
    assert.equal(JSON.parse(await curl("--compressed", "--user", "me:secret", `${forward.url}/echo`)).headers.authorization, "Basic bWU6c2VjcmV0");
  });
});

/** A scripted backend that speaks as OpenAI's API does. */
async function startAgent() {
  const agent = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    if (request.url === "/events") return response.writeHead(200, { "Content-Type": "text/event-stream" }).end("data: 1\n\ndata: 2\n\ndata: 3\n\n");
    if (request.url === "/range") return response.writeHead(206, { "Content-Range": "bytes 2-4/10" }).end("0123456789".slice(...request.headers.range.match(/\d+/g).map((n, i) => Number(n) + i)));
    if (!request.url.startsWith("/v1/")) return response.end(JSON.stringify({ url: request.url, headers: request.headers, length: text.length }));
    const body = JSON.parse(text);
    agent.heard.push({ headers: request.headers, body });
    if (agent.isBusy) {
      agent.isBusy = false;
      return response.writeHead(429, { "Content-Type": "application/json", "Retry-After-Ms": "1" }).end('{"error":{"message":"busy"}}');
    }
    if (!body.stream) {
      response.setHeader("Content-Type", "application/json");
      return response.end(JSON.stringify({ id: "1", object: "chat.completion", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: WORDS.join("") } }] }));
    }
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.on("close", () => agent.emit("left"));
    for (const content of WORDS) {
      response.write(`data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content } }] })}\n\n`);
      await Promise.race([once(agent, "next"), once(response, "close")]);
    }
    response.end("data: [DONE]\n\n");
  });
  agent.heard = [];
  agent.isBusy = false;
  agent.listen(0, "127.0.0.1");
  await once(agent, "listening");
  agent.url = `http://127.0.0.1:${agent.address().port}`;
  return agent;
}
