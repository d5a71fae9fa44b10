import asyncio
import json
import subprocess
import os
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from services import Gate, Listener
from proxygateway_device_auth import Device, PairingRequired, SessionTokens, device_id_of, generate_key, load_key_file, wait_until_paired_async
from proxygateway_device_auth.httpx_auth import DeviceAuth
from proxygateway_device_auth.websockets_client import connect


class GateTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gate = Gate()
        cls.addClassCleanup(cls.gate.stop)

    def device(self, key=None, **options):
        return Device(self.gate.url, key or generate_key(), **options)

    def client(self, device):
        return httpx.Client(auth=DeviceAuth(device, trust_env=False), base_url=self.gate.url, trust_env=False, timeout=60)

    def ask(self, device):
        with self.client(device) as client, self.assertRaises(PairingRequired) as raised:
            client.get("/")
        return raised.exception

    def paired(self, key=None):
        device = self.device(key)
        self.gate.approve(self.ask(device).request_id)
        return device

    def test_a_device_asks_is_approved_and_gets_in(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = [generate_key(), generate_key("ES256"), load_key_file(Path(folder) / "a"), load_key_file(Path(folder) / "b", "ES256")]
            keys += [load_key_file(Path(folder) / "a"), load_key_file(Path(folder) / "b")]
        for key in keys[:4]:
            error = self.ask(self.device(key, client={"displayName": "test"}))
            self.assertEqual((error.code, error.reason, error.retryable, error.retry_after), ("pairing_required", "not-paired", True, 5))
            self.gate.approve(error.request_id)
        for key in keys:
            with self.client(self.device(key)) as client:
                answer = client.get("/work", params={"query": "is-not-signed"})
            self.assertEqual(answer.status_code, 200)
            seen = answer.json()
            self.assertEqual((seen["path"], seen["headers"]["x-device-id"]), ("/work?query=is-not-signed", device_id_of(key)))
            self.assertNotIn("device-proof", seen["headers"])

    def test_an_invitation_lets_a_device_in_and_then_no_other(self):
        invitation = self.gate.invite()
        with self.client(self.device(invitation=invitation)) as client:
            self.assertEqual(client.get("/work").status_code, 200)
        self.assertEqual(self.ask(self.device(invitation=invitation)).code, "pairing_required")

    def test_session_tokens_take_the_place_of_proofs_below_their_path_and_an_outdated_one_costs_a_proof(self):
        key = generate_key()
        device, sent = self.paired(key), []

        class Recording(httpx.HTTPTransport):
            def handle_request(self, request):
                names = {name.lower() for name, _ in request.headers.raw}
                sent.append((request.url.path, *sorted(name.decode() for name in names & {b"device-session", b"device-proof"})))
                return super().handle_request(request)

        auth = DeviceAuth(device, trust_env=False, session=SessionTokens("/tokens"))
        with httpx.Client(auth=auth, base_url=self.gate.url, transport=Recording(), timeout=60) as client:
            answers = [client.get("/tokens/work").json() for _ in range(3)]
            self.assertEqual([seen for seen in sent if seen[1:] != ("device-proof",)], [("/tokens/work", "device-session")] * 2)
            self.assertEqual([path for path, *_ in sent].count("/.well-known/proxygateway/session"), 1)
            self.assertTrue(all("device-session" not in answer["headers"] for answer in answers))
            sent.clear()
            for path in ("/", "/tokensx", "/other/tokens"):
                self.assertEqual(client.get(path).status_code, 200)
            self.assertEqual(client.post("/tokens/x", content=iter([b"abc"])).status_code, 200)
            self.assertEqual({used for _, *names in sent for used in names}, {"device-proof"}, "neither elsewhere nor with what is sent once")
            self.gate.grant(device_id_of(key), ["more.now"])  # another record, and the token was for the one before
            sent.clear()
            self.assertEqual(client.get("/tokens/work").status_code, 200)
            self.assertEqual([names for _, *names in sent], [["device-session"], ["device-proof"]])

        async def twice():
            async with httpx.AsyncClient(auth=auth, base_url=self.gate.url, trust_env=False, timeout=60) as client:
                return [(await client.get("/tokens/work")).status_code for _ in range(2)]

        self.assertEqual(asyncio.run(twice()), [200, 200])

    def test_the_command_connect_and_this_package_share_the_file_of_a_key(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "identity.json")
            program = os.environ["PROXYGATEWAY"]
            subprocess.run(
                [*(["dotnet"] if program.endswith(".dll") else []), program, "connect", "ws://127.0.0.1:1", "--identity", path],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            )  # fmt: skip
            with self.client(self.paired(load_key_file(path))) as client:
                self.assertEqual(client.get("/").json()["headers"]["x-device-id"], json.loads(Path(path).read_text())["deviceId"])

    def test_paths_reach_the_gateway_as_the_proof_names_them(self):
        with self.client(self.paired()) as client:
            for path in ("", "/a/../b/./c", "/a/%2e%2e/b", "/a%2Fb%7Ec%3b", "/ä b", "/a;b=c,d", "/a=b,c@d:e", "/%zz", "/a|b^c`d", "/'\"<>", "/?a=b#c", "//a//b", "/a\\b"):
                answer = client.get(self.gate.url + path)
                # The gateway refuses some paths, but never for what the proof says of them.
                self.assertFalse(answer.status_code == 401 or "htu" in answer.text, f"{path}: {answer.text}")

    def test_every_kind_of_body_arrives_and_every_method(self):
        with self.client(self.paired()) as client:
            for options in ({"content": b"abc"}, {"json": {"a": 1}}, {"data": {"a": "bc"}}, {"files": {"file": b"abc"}}, {"content": iter([b"a", b"bc"])}):
                self.assertGreaterEqual(client.post("/", **options).json()["length"], 3)
            for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
                self.assertEqual(client.request(method, "/").json()["method"], method)

    def test_a_device_without_a_nonce_sends_a_stream_once(self):
        key = generate_key()
        self.paired(key)
        read = []

        def body():
            read.append(1)
            yield from [b"x" * 1000] * 100

        async def abody():
            for chunk in body():
                yield chunk

        with self.client(self.device(key)) as client:
            self.assertEqual(client.post("/", content=body()).json()["length"], 100_000)

        async def send():
            async with httpx.AsyncClient(auth=DeviceAuth(self.device(key), trust_env=False), trust_env=False) as client:
                return await client.post(self.gate.url, content=abody())

        self.assertEqual(asyncio.run(send()).json()["length"], 100_000)
        self.assertEqual(len(read), 2)

    def test_requests_at_once_share_nonces_and_each_has_a_proof_of_its_own(self):
        with self.client(self.paired()) as client, ThreadPoolExecutor(8) as pool:
            self.assertEqual({answer.status_code for answer in pool.map(lambda n: client.get(f"/{n}"), range(40))}, {200})

    def test_an_answer_of_the_backend_stays_the_backends_also_one_that_looks_like_a_refusal(self):
        with self.client(self.paired()) as client:
            answer = client.get("/forbidden")
            self.assertEqual((answer.status_code, answer.json()), (403, {"code": "not_yours"}))
            with client.stream("GET", "/forbidden") as answer:
                self.assertEqual(json.loads(answer.read()), {"code": "not_yours"})

    def test_a_redirect_takes_no_proof_along(self):
        with Listener() as stranger, self.client(self.paired()) as client:
            path = f"/redirect?to={stranger.url}/"
            self.assertEqual(client.get(path).status_code, 307)
            self.assertEqual(client.get(path, follow_redirects=True).status_code, 200)
            self.assertEqual((len(stranger.requests), stranger.proofs()), (1, []))

    def test_waiting_goes_on_by_itself(self):
        device, asked = self.device(), []

        def on_waiting(error):
            asked.append(error.request_id)
            self.gate.approve(error.request_id)

        async def wait():
            async with httpx.AsyncClient(auth=DeviceAuth(device, trust_env=False), trust_env=False) as client:
                return await wait_until_paired_async(lambda: client.get(self.gate.url), on_waiting=on_waiting)

        self.assertEqual(asyncio.run(wait()).status_code, 200)
        self.assertEqual(len(asked), 1)

    def test_a_rejection_is_final(self):
        device = self.device()
        self.gate.reject(self.ask(device).request_id)
        error = self.ask(device)
        self.assertEqual((error.code, error.retryable, error.retry_after), ("pairing_rejected", False, None))

    def test_websockets_are_opened_with_a_proof(self):
        device = self.paired()
        url = self.gate.url.replace("http", "ws") + "/sockets/a?query"

        async def talk(**options):
            async with connect(device, url, **options) as socket:
                await socket.send("hello")
                return await socket.recv()

        self.assertEqual(asyncio.run(talk()), "echo: hello")
        self.assertEqual(asyncio.run(talk(subprotocols=["other", "chat"], headers={"device-proof": "another"})), "echo: hello")
        device.nonce = "A" * 28
        self.assertEqual(asyncio.run(talk()), "echo: hello", "with a nonce that is too old")

        async def plainly():
            socket = await connect(device, url)
            await socket.close()

        asyncio.run(plainly())

    def test_a_websocket_that_is_refused_says_why(self):
        device = self.device()

        async def open_one(path):
            async with connect(device, self.gate.url.replace("http", "ws") + path):
                self.fail("it opens")

        with self.assertRaises(PairingRequired) as raised:
            asyncio.run(open_one("/sockets/a"))
        self.assertEqual(raised.exception.reason, "not-paired")
        self.gate.approve(raised.exception.request_id)
        with self.assertRaises(Exception) as raised:
            asyncio.run(open_one("/forbidden"))
        self.assertIn("403", str(raised.exception))
