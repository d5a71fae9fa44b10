import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { deviceIdOf } from "../dist/index.js";
import { loadKeyFile } from "../dist/node.js";

const folder = mkdtempSync(join(tmpdir(), "proxygateway-key-"));
after(() => rmSync(folder, { recursive: true }));

const path = (name) => join(folder, name);
const content = (file) => JSON.parse(readFileSync(file, "utf8"));

test("a key's file is its owner's alone, whatever the umask is, and holds the same device the next time", async () => {
  const before = process.umask(0);
  try {
    for (const algorithm of ["Ed25519", "ES256"]) {
      const file = path(`new/${algorithm}/key.json`);
      const key = await loadKeyFile(file, { algorithm });
      assert.deepEqual([statSync(file).mode & 0o777, statSync(path("new")).mode & 0o777, key.algorithm], [0o600, 0o700, algorithm]);
      assert.deepEqual(readdirSync(path(`new/${algorithm}`)), ["key.json"]);
      assert.equal(content(file).deviceId, await deviceIdOf(key));
      assert.deepEqual((await loadKeyFile(file)).publicKey, key.publicKey);
      assert.equal((await key.sign(new Uint8Array(3))).length, 64);
      assert.ok(!inspect(key, { depth: 10, showHidden: true }).includes(content(file).privateKey));
    }
  } finally {
    process.umask(before);
  }
});

test("processes that start at once get one key", async () => {
  const file = path("shared.json");
  const keys = await Promise.all(Array.from({ length: 20 }, () => loadKeyFile(file)));
  assert.equal(new Set(keys.map(({ publicKey }) => publicKey.x)).size, 1);
  assert.equal(readdirSync(folder).filter((name) => name.startsWith("shared")).length, 1);
});

test("a file that others can read, write or replace is refused", async () => {
  const file = path("open.json");
  await loadKeyFile(file);
  for (const mode of [0o640, 0o604, 0o620, 0o602]) {
    chmodSync(file, mode);
    await assert.rejects(loadKeyFile(file), { code: "key_unusable", message: /chmod 600/ });
  }
  chmodSync(file, 0o600);
  chmodSync(folder, 0o777);
  await assert.rejects(loadKeyFile(file), { code: "key_unusable", message: /chmod go-w/ });
  await assert.rejects(loadKeyFile(path("not-there.json")), { code: "key_unusable" });
  chmodSync(folder, 0o700);
  await loadKeyFile(file);
});

test("another user's file, a pipe, a folder and a link to nowhere are refused", async (context) => {
  execFileSync("mkfifo", ["-m", "600", path("pipe")]);
  await assert.rejects(loadKeyFile(path("pipe")), { code: "key_unusable", message: /no regular file/ });
  mkdirSync(path("folder"), { mode: 0o700 });
  await assert.rejects(loadKeyFile(path("folder")), { code: "key_unusable" });
  symlinkSync(path("nowhere"), path("link"));
  await assert.rejects(loadKeyFile(path("link")), { code: "key_unusable" });
  if (process.getuid() !== 0) return context.skip("only root gives files away");
  await loadKeyFile(path("theirs.json"));
  chownSync(path("theirs.json"), 12345, 12345);
  await assert.rejects(loadKeyFile(path("theirs.json")), { code: "key_unusable", message: /another user/ });
});

test("a damaged file is refused in words that show nothing of it", async () => {
  await loadKeyFile(path("good.json"));
  const good = content(path("good.json"));
  await loadKeyFile(path("p256.json"), { algorithm: "ES256" });
  const p256 = content(path("p256.json"));
  await loadKeyFile(path("other.json"));
  const secret = good.privateKey;
  for (const text of [
    "", "{", `{"privateKey":"${secret}",`, `"${secret}"`, "null", "[]", JSON.stringify({ ...good, version: 3 }), JSON.stringify({ ...good, algorithm: "ES256" }),
    JSON.stringify({ ...good, publicKey: content(path("other.json")).publicKey }), JSON.stringify({ ...good, privateKey: secret.slice(4) }), JSON.stringify({ ...good, privateKey: 7 }),
    JSON.stringify({ ...p256, privateKey: secret }), JSON.stringify({ ...p256, publicKey: good.publicKey }), JSON.stringify({ ...p256, algorithm: undefined }), " ".repeat(20_000),
  ]) {
    const file = path("damaged.json");
    writeFileSync(file, text, { mode: 0o600 });
    const error = await loadKeyFile(file).then(() => assert.fail(text), (reason) => reason);
    assert.equal(error.code, "key_unusable", text);
    assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(secret.slice(0, 8)));
    assert.equal(error.cause, undefined);
  }
});

test("the package for browsers needs nothing of Node", () => {
  const dist = fileURLToPath(new URL("../dist/", import.meta.url));
  for (const name of readdirSync(dist)) {
    if (name.endsWith(".js") && name !== "node.js") assert.doesNotMatch(readFileSync(join(dist, name), "utf8"), /from "(?!\.\/)|node\.js"|\bprocess\.|\bBuffer\b/, name);
  }
});
