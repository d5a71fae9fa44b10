import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { after, before, suite, test } from "node:test";
import express from "express";
import { Role, TaskState } from "@a2a-js/sdk";
import { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client";
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from "@a2a-js/sdk/server";
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from "@a2a-js/sdk/server/express";
import { dpopDevice, provingFetch } from "./proofs.mjs";
import { startGate, stopServices } from "./services.mjs";

const CARD = "/.well-known/agent-card.json";

suite("an agent of A2A's own SDK behind the gate, and its client", { timeout: 120_000 }, () => {
  let agent, gate, url;

  before(async () => {
    agent = await startAgent();
    gate = await startGate(agent, {
      config: new URL("../../config/any-agent.json", import.meta.url),
      // The card is public; a client that knows it still needs a proof for everything else.
      settings: () => [
        "--ReverseProxy:Routes:card:ClusterId=agent",
        `--ReverseProxy:Routes:card:Match:Path=${CARD}`,
        "--ReverseProxy:Routes:card:Match:Methods:0=GET",
        "--ReverseProxy:Routes:card:Metadata:DeviceAuth=Off",
      ],
    });
    url = `http://127.0.0.1:${gate.port}`;
    agent.reachedAt(url);
  });

  after(async () => {
    await stopServices();
    agent.close();
  });

  test("gives its card to anybody, and nothing else", async () => {
    const client = await clientOf(new JsonRpcTransportFactory(), fetch);

    await assert.rejects(client.sendMessage(hello()), /403|proof/);
    assert.equal(agent.executed, 0);
  });

  for (const [name, Transport] of [["JSON-RPC", JsonRpcTransportFactory], ["HTTP+JSON", RestTransportFactory]]) {
    test(`answers a device by ${name}, at once and in a stream`, async () => {
      const device = await dpopDevice("ES256");
      const client = await clientOf(new Transport({ fetchImpl: provingFetch(device) }), fetch);

      const { payload } = await client.sendMessage(hello()).then((result) => (result.payload ? result : { payload: { value: result } }));
      assert.equal(payload.value.status.state, TaskState.TASK_STATE_COMPLETED);

      const states = [];
      for await (const event of client.sendMessageStream(hello())) states.push(event.payload.value.status.state);
      assert.deepEqual(states, [TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED]);
      assert.match(agent.heard["x-device-id"], /^[0-9a-f]{64}$/);
      assert.equal(agent.heard["device-proof"], undefined);
    });
  }

  test("loses a device in the midst of a stream, once an operator removes it", async () => {
    const device = await dpopDevice("Ed25519");
    const client = await clientOf(new JsonRpcTransportFactory({ fetchImpl: provingFetch(device) }), fetch);
    const stream = client.sendMessageStream(hello("wait"));
    assert.equal((await stream.next()).value.payload.value.status.state, TaskState.TASK_STATE_SUBMITTED);

    await gate.admin.delete(`/devices/${agent.heard["x-device-id"]}`);

    await assert.rejects(async () => {
      for await (const _ of stream);
    });
  });

  async function clientOf(transport, fetchImpl) {
    const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
      transports: [transport],
      preferredTransports: [transport.protocolName],
      cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
    }));
    return await factory.createFromUrl(url);
  }
});

function hello(text = "hello") {
  const message = {
    messageId: randomUUID(), role: Role.ROLE_USER, parts: [{ content: { $case: "text", value: text }, filename: "", mediaType: "text/plain" }],
    taskId: "", contextId: "", extensions: [], metadata: {}, referenceTaskIds: [],
  };
  return { tenant: "", metadata: {}, message };
}

/** Works on a message in two steps; on "wait" for as long as it is let. */
class Steps {
  executed = 0;

  async execute({ userMessage, taskId, contextId }, bus) {
    this.executed++;
    const status = (state) => ({ state, timestamp: new Date().toISOString() });
    const update = (state) => bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(state), metadata: {} }));
    bus.publish(AgentEvent.task({ id: taskId, contextId, status: status(TaskState.TASK_STATE_SUBMITTED), artifacts: [], history: [userMessage], metadata: {} }));
    if (userMessage.parts[0].content.value === "wait") await new Promise(() => {});
    update(TaskState.TASK_STATE_WORKING);
    update(TaskState.TASK_STATE_COMPLETED);
  }

  async cancelTask() {}
}

async function startAgent() {
  const card = {
    name: "steps", description: "Works in two steps.", version: "1", supportedInterfaces: [], capabilities: { streaming: true, pushNotifications: false, extensions: [] },
    securitySchemes: {}, securityRequirements: [], defaultInputModes: ["text"], defaultOutputModes: ["text"], skills: [], documentationUrl: "", signatures: [],
  };
  const steps = new Steps();
  const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), steps);
  const app = express();
  const agent = {
    get executed() {
      return steps.executed;
    },
    reachedAt(base) {
      card.supportedInterfaces = [["rpc", "JSONRPC"], ["rest", "HTTP+JSON"]].map(([path, protocolBinding]) => ({ url: `${base}/${path}`, protocolBinding, tenant: "", protocolVersion: "1.0" }));
    },
  };
  app.use(CARD, agentCardHandler({ agentCardProvider: requestHandler }));
  app.use((request, _, next) => {
    agent.heard = request.headers;
    next();
  });
  app.use("/rpc", jsonRpcHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication }));
  app.use("/rest", restHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication }));
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  agent.url = `http://127.0.0.1:${server.address().port}`;
  agent.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return agent;
}
