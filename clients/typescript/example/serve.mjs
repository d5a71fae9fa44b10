// Serves the example: node example/serve.mjs [port], then http://127.0.0.1:5173/example/?gateway=http://127.0.0.1:8080/
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript" };

/** A server of this package's pages and modules, on loopback. */
export function serveExample(port = 0) {
  return createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname.replace(/\/$/, "/index.html"));
    const file = join(ROOT, path);
    const isServed = [`${sep}example${sep}`, `${sep}dist${sep}`].some((folder) => path.startsWith(folder)) && TYPES[extname(file)];
    if (!isServed || !statSync(file, { throwIfNoEntry: false })?.isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": TYPES[extname(file)], "Cache-Control": "no-store" });
    createReadStream(file).pipe(response);
  }).listen(port, "127.0.0.1");
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const server = serveExample(Number(process.argv[2] ?? 5173));
  server.on("listening", () => console.log(`http://127.0.0.1:${server.address().port}/example/?gateway=http://127.0.0.1:8080/`));
}
