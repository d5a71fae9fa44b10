import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { dpopDevice, provingFetch } from "./proofs.mjs";
import { startGate, startOpencode, stopServices, temporaryDirectory } from "./services.mjs";

const skip = process.arch === "x64" ? false : "package.json has no opencode for this processor";

suite("opencode's server, whose password no device knows", { skip, timeout: 300_000 }, () => {
  let opencode, gate, url;

  before(async () => {
    const password = randomBytes(16).toString("hex");
    const secretFile = join(temporaryDirectory("secret"), "secret");
    writeFileSync(secretFile, Buffer.from(`opencode:${password}`).toString("base64"), { mode: 0o600 });
    opencode = await startOpencode(password);
    gate = await startGate(opencode, {
      config: new URL("../../config/any-agent.json", import.meta.url),
      settings: () => [
        "--ReverseProxy:Routes:agent:Transforms:0:RequestHeaderFromFile=Authorization",
        "--ReverseProxy:Routes:agent:Transforms:0:Prefix=Basic ",
        `--ReverseProxy:Routes:agent:Transforms:0:File=${secretFile}`,
      ],
    });
    url = `http://127.0.0.1:${gate.port}`;
  });

  after(stopServices);

  test("lets nobody in who comes without it, nor past the gate without a proof", async () => {
    assert.equal((await fetch(`${opencode.url}/session`)).status, 401);
    assert.equal((await fetch(`${url}/session`)).status, 403);
  });

  test("tells a device what happens, until an operator removes it", async () => {
    const send = provingFetch(await dpopDevice("ES256"));
    const events = eventsOf(await send(`${url}/event`));
    assert.equal((await events.next()).value.type, "server.connected");

    const created = await send(`${url}/session`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ title: "through the gate" }) });
    const { id, title } = await created.json();

    assert.equal(title, "through the gate");
    assert.ok((await (await send(`${url}/session`)).json()).some((session) => session.id === id));
    let event;
    do event = (await events.next()).value; while (event.type !== "session.created");
    assert.equal((event.properties.info ?? event.properties).id, id);

    const [device] = (await gate.admin.get("/devices")).items;
    await gate.admin.delete(`/devices/${device.id}`);
    await assert.rejects(async () => {
      while (!(await events.next()).done);
    });
  });
});

/** What a stream of server-sent events says. */
async function* eventsOf(response) {
  assert.equal(response.status, 200);
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split("\n");
    text = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice("data: ".length));
  }
}
