"""The gateway, an agent behind it, and servers that want what is not theirs."""

import asyncio
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import websockets

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT = 600  # seconds, of a machine that is busy with something else


def claims_of(proof):
    part = proof.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Listener:
    """An HTTP server that keeps what it gets: method, path, headers, length of the body."""

    def __init__(self, answer=lambda request: (200, {}, b"")):
        self.requests = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                length = 0
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while size := int(self.rfile.readline(), 16):
                        length += len(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    length = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                listener.requests.append((self.command, self.path, self.headers, length))
                status, headers, body = answer(listener.requests[-1])
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def proofs(self):
        return [claims_of(headers["Device-Proof"]) for _, _, headers, _ in self.requests if headers["Device-Proof"]]


def answer_of_agent(request):
    method, path, headers, length = request
    if path.startswith("/redirect?to="):
        return 307, {"Location": path.partition("=")[2]}, b""
    if path.startswith("/forbidden"):
        return 403, {"Content-Type": "application/problem+json"}, b'{"code":"not_yours"}'
    seen = {"method": method, "path": path, "length": length, "headers": {name.lower(): value for name, value in headers.items()}}
    return 200, {"Content-Type": "application/json"}, json.dumps(seen).encode()


class EchoSockets:
    """A WebSocket server that echoes."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        started = threading.Event()

        async def echo(socket, *_):
            async for message in socket:
                await socket.send(f"echo: {message}")

        async def serve():
            server = await websockets.serve(echo, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self._stop = asyncio.Event()
            started.set()
            await self._stop.wait()
            server.close()
            await server.wait_closed()

        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(serve()), daemon=True)
        self._thread.start()
        started.wait()

    def stop(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()


class Gate:
    """The gateway as it is shipped, in which an operator decides on everything."""

    def __init__(self):
        self._agent = Listener(answer_of_agent)
        self._sockets = EchoSockets()
        self._folder = tempfile.mkdtemp(prefix="proxygateway-python-")
        self.port, self._admin_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        shutil.copy(ROOT / "config" / "any-agent.json", Path(self._folder) / "appsettings.json")
        program = os.environ["PROXYGATEWAY"]
        self._log = open(Path(self._folder) / "log", "w+")
        self._process = subprocess.Popen(
            [
                *(["dotnet", program] if program.endswith(".dll") else [program]),
                f"--Urls={self.url}",
                f"--ReverseProxy:Clusters:agent:Destinations:local:Address={self._agent.url}",
                f"--ReverseProxy:Clusters:sockets:Destinations:local:Address=http://127.0.0.1:{self._sockets.port}",
                "--ReverseProxy:Routes:sockets:ClusterId=sockets",
                "--ReverseProxy:Routes:sockets:Match:Path=/sockets/{**rest}",
                "--ReverseProxy:Routes:sockets:Metadata:DeviceAuth=Proof",
                "--ReverseProxy:Routes:agent:Metadata:DeviceAuth.SessionTokens=Allow",
                "--DeviceAuth:Pairing:AutoApprove:loopback:Enabled=false",
                "--DeviceAuth:Limits:HandshakesPerSecondPerAddress=1000",
                f"--Registry:Sqlite:Path={self._folder}/registry.db",
                f"--Admin:Url=http://127.0.0.1:{self._admin_port}",
                f"--Admin:KeyFile={self._folder}/admin.key",
            ],
            cwd=self._folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        self._key = (Path(self._folder) / "admin.key").read_text().strip()

    def approve(self, request_id):
        self._post(f"/requests/{request_id}/approve")

    def reject(self, request_id):
        self._post(f"/requests/{request_id}/reject")

    def grant(self, device_id, scopes):
        self._post(f"/devices/{device_id}/grants/client", {"scopes": scopes}, "PUT")

    def invite(self):
        return json.loads(self._post("/invitations", {"role": "client"}))["secret"]

    def log(self):
        self._log.seek(0)
        return self._log.read()

    def stop(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._log.close()
        self._agent.__exit__()
        self._sockets.stop()
        shutil.rmtree(self._folder)

    def _post(self, path, body=None, method="POST"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._admin_port}/admin/v1{path}",
            method=method,
            headers={"Authorization": f"Bearer {self._key}", **({} if body is None else {"Content-Type": "application/json"})},
            data=None if body is None else json.dumps(body).encode(),
        )
        with _direct.open(request, timeout=30) as answer:
            return answer.read()

    def _wait(self):
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the gateway stopped at start\n{self.log()}")
            try:
                with _direct.open(f"http://127.0.0.1:{self._admin_port}/readyz", timeout=10):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"the gateway was not ready in {START_TIMEOUT} s\n{self.log()}")


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports
