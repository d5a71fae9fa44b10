import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { WebSocketServer } from "ws";

/** An agent that answers with what it got, redirects at /redirect, and echoes on WebSockets; /silent speaks only when spoken to, /greeting first. */
export async function startAgent() {
  const bodies = [];
  const server = createServer(async (request, response) => {
    if (request.url.startsWith("/redirect")) return response.writeHead(307, { Location: new URL(request.url, "http://x").searchParams.get("to") }).end();
    if (request.url.startsWith("/forbidden")) return response.writeHead(403, { "Content-Type": "application/problem+json" }).end('{"code":"not_yours"}');
    let length = 0;
    for await (const chunk of request) length += chunk.length;
    if (length > 0) bodies.push(length);
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ url: request.url, method: request.method, headers: request.headers, length }));
  });
  const sockets = new WebSocketServer({ server, handleProtocols: (protocols) => (protocols.has("chat") ? "chat" : false) });
  sockets.on("connection", (socket, { url, headers }) => {
    if (url.startsWith("/greeting")) socket.send("welcome");
    socket.on("message", (data, isBinary) => socket.send(isBinary ? data : `echo: ${data} (${headers["sec-websocket-protocol"] ?? "no protocol"})`));
  });
  await listen(server);
  server.bodies = bodies;
  return server;
}

/** A server that keeps the heads of the requests that it gets, and answers them by `answer`. */
export async function startListener(answer) {
  const heads = [];
  const server = createServer((request, response) => {
    heads.push({ url: request.url, method: request.method, headers: request.headers });
    request.resume();
    answer(request, response);
  });
  server.on("upgrade", (request, socket) => {
    heads.push({ url: request.url, method: request.method, headers: request.headers });
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  await listen(server);
  server.heads = heads;
  return server;
}

/** Something between a client and the gateway on `port`, whose nonces are too old. */
export async function startWithOldNonces(port) {
  const server = createServer((incoming, response) => {
    if (incoming.url === "/.well-known/proxygateway/nonce") return response.writeHead(200, { "Device-Nonce": "AAAAAAAAAAAAAAAAAAAAAAAAAAAA" }).end();
    const { url: path, method, headers } = incoming;
    incoming.pipe(request({ host: "127.0.0.1", port, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    }));
  });
  server.on("upgrade", ({ url, headers }, socket) => {
    const gate = connect(port, "127.0.0.1");
    gate.write(`GET ${url} HTTP/1.1\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
    gate.pipe(socket).pipe(gate);
    for (const end of [gate, socket]) end.on("error", () => {});
  });
  return await listen(server);
}

async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.url = `http://127.0.0.1:${server.address().port}`;
  return server;
}

export function claimsOf(proof) {
  return JSON.parse(Buffer.from(proof.split(".")[1], "base64url").toString());
}
