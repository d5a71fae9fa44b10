import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

/** The program's command for an MCP server, as hosts start it. */
export function mcpCommand(url, keyFile) {
  const { PROXYGATEWAY: program } = process.env;
  const [command, ...before] = program.endsWith(".dll") ? ["dotnet", program] : [program];
  return { command, args: [...before, "mcp", url, "--identity", keyFile] };
}

/**
 * Serves by HTTP what a program serves on its standard input and output, a process for each session: judges that know HTTP alone can try such a program.
 */
export async function startStdioServer({ command, args }) {
  const sessions = new Map();
  const server = createServer(async (request, response) => {
    const known = sessions.get(request.headers["mcp-session-id"]);
    if (known) return known.transport.handleRequest(request, response);
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, { transport, child }),
    });
    const underWay = new Set();
    transport.onmessage = (message) => {
      if (message.id !== undefined && message.method) underWay.add(message.id);
      child.stdin.write(`${JSON.stringify(message)}\n`);
    };
    transport.onclose = () => child.stdin.end();
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = JSON.parse(line);
      if (!message.method) underWay.delete(message.id);
      // On one channel nothing says to which request a message belongs; with a single one under way it is that.
      const relatedRequestId = message.method && underWay.size === 1 ? [...underWay][0] : undefined;
      transport.send(message, { relatedRequestId }).catch(() => {});
    });
    await transport.start();
    await transport.handleRequest(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      for (const { child } of sessions.values()) child.kill("SIGKILL");
      server.close();
      server.closeAllConnections();
    },
  };
}
