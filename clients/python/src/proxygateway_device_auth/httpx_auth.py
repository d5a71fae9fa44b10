"""For httpx."""

from __future__ import annotations

import urllib.request
from typing import AsyncGenerator, Generator, Tuple

import httpx

from .device import HEADER, NONCE_HEADER, NONCE_PATH, Device, asks_for_nonce
from .errors import DeviceAuthError, PairingRequired, refusal_of
from .session import SESSION_HEADER, SESSION_PATH, SessionTokens, is_token_refusal

_MAX_BODY = 64 * 1024

# What a request has, which says what of its answer has to be read.
_PROOF, _ASK, _TOKEN = range(3)

_Step = Tuple[httpx.Request, int]
_Answer = Tuple[httpx.Response, bytes]
_Flow = Generator[_Step, _Answer, httpx.Response]


class DeviceAuth(httpx.Auth):
    """
    Adds a proof to each request: `httpx.Client(auth=DeviceAuth(device))`, also for `AsyncClient`, and for as many clients as there are.

    A request may raise PairingRequired, if an operator has to let the device in, and DeviceAuthError, if the URL may not get a proof. If the nonce was too
    old, the request is made once more, and only once. A body that is not in memory (a generator, a file) is sent once: a nonce is fetched before it.

    `session` has session tokens take the place of proofs; a request whose token is refused is made again with a proof.

    `trust_env` is to be what it is for the client: a proxy that the environment names must not see a proof for plain HTTP on loopback.
    """

    def __init__(self, device: Device, *, trust_env: bool = True, session: SessionTokens | None = None) -> None:
        self._device = device
        self._trust_env = trust_env
        self._session = session

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        flow = self._flow(request)
        outgoing, what = next(flow)
        while True:
            response = yield outgoing
            body = b""
            if what == _ASK and response.status_code == 200:
                body = _read_start(response)
            elif what == _TOKEN and _may_be_refusal(response, request, (401, 403)):
                body = response.read()
            try:
                outgoing, what = flow.send((response, body))
            except StopIteration as end:
                response = end.value
                break
            _read_start(response)
        if _may_be_refusal(response, request):
            response.read()
            _raise_refusal(response)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        flow = self._flow(request)
        outgoing, what = next(flow)
        while True:
            response = yield outgoing
            body = b""
            if what == _ASK and response.status_code == 200:
                body = await _read_start_async(response)
            elif what == _TOKEN and _may_be_refusal(response, request, (401, 403)):
                body = await response.aread()
            try:
                outgoing, what = flow.send((response, body))
            except StopIteration as end:
                response = end.value
                break
            await _read_start_async(response)
        if _may_be_refusal(response, request):
            await response.aread()
            _raise_refusal(response)

    def _flow(self, request: httpx.Request) -> _Flow:
        self._check(request.url)
        is_sent_once = not isinstance(request.stream, httpx.ByteStream)
        if is_sent_once:
            yield from self._renew_nonce(request)
        elif self._session is not None and self._session.covers(_path_of(request)):
            token = yield from self._find_token(request, self._session)
            if token is not None:
                request.headers = _ProvenHeaders(request.headers, SESSION_HEADER, token)
                response, body = yield request, _TOKEN
                if not is_token_refusal(body):
                    self._session.taken(token, self._keep_nonce(request, response))
                    return response
                self._keep_nonce(request, response)
                self._session.refused(token)
        response, _ = yield self._prove(request), _PROOF
        if not self._keep_nonce(request, response) or is_sent_once or not asks_for_nonce(response.status_code, response.headers.get("WWW-Authenticate")):
            return response
        response, _ = yield self._prove(request), _PROOF
        self._keep_nonce(request, response)
        return response

    def _find_token(self, request: httpx.Request, session: SessionTokens) -> Generator[_Step, _Answer, str | None]:
        token, asks = session.find()
        if not asks:
            return token
        body = None
        try:
            for _ in range(2):
                asking = httpx.Request("POST", _url_of(request, SESSION_PATH), content=session.wanted, extensions=request.extensions)
                response, body = yield self._prove(asking), _ASK
                if not self._keep_nonce(asking, response) or not asks_for_nonce(response.status_code, response.headers.get("WWW-Authenticate")):
                    break
        finally:
            token = session.keep(body)
        return token

    def _renew_nonce(self, request: httpx.Request) -> Generator[_Step, _Answer, None]:
        asking = httpx.Request("GET", _url_of(request, NONCE_PATH), extensions=request.extensions)
        answer, _ = yield asking, _PROOF
        if answer.status_code != 200 or not self._keep_nonce(asking, answer):
            raise DeviceAuthError("nonce_unavailable", f"{self._device.origin} gives no nonce: it answers {answer.status_code}")

    def _prove(self, request: httpx.Request) -> httpx.Request:
        request.headers = _ProvenHeaders(request.headers, HEADER, self._device.prove(request.method, _path_of(request), self._device.nonce))
        return request

    def _keep_nonce(self, request: httpx.Request, response: httpx.Response) -> bool:
        # A client that follows redirects answers with what another server sent.
        return response.request is request and self._device.keep_nonce(response.headers.get(NONCE_HEADER))

    def _check(self, url: httpx.URL) -> None:
        host = url.raw_host.decode("ascii")
        self._device.check(url.scheme, host, url.port, bool(url.userinfo))
        if self._trust_env and url.scheme == "http" and not urllib.request.proxy_bypass(host):
            proxies = urllib.request.getproxies()
            if "http" in proxies or "all" in proxies:
                raise DeviceAuthError("unsafe_url", f"A proxy that the environment names would see the proof: set NO_PROXY={host}, or trust_env=False here and for the client")


class _ProvenHeaders(httpx.Headers):
    """
    Headers with a proof or a token that is sent, but not copied: a client that follows redirects copies the headers to wherever one leads. It is not printed either.
    """

    def __init__(self, headers: httpx.Headers, name: str, value: str) -> None:
        super().__init__(headers)
        self.pop(HEADER, None)
        if name == SESSION_HEADER:
            self.pop(SESSION_HEADER, None)
        self._proof = (name.encode("ascii"), value.encode("ascii"))

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        proof = getattr(self, "_proof", None)
        return super().raw + ([] if proof is None else [proof])


def _path_of(request: httpx.Request) -> str:
    """The path as httpx sends it."""
    return request.url.raw_path.partition(b"?")[0].decode("ascii")


def _url_of(request: httpx.Request, path: str) -> httpx.URL:
    return request.url.copy_with(raw_path=path.encode("ascii"), fragment=None)


# httpx reads the whole of an answer that another request follows, however long, and unpacks it. Of such an answer no more is kept than a gateway sends.


def _read_start(response: httpx.Response) -> bytes:
    if not response.is_closed:
        start = bytearray()
        for chunk in response.stream:
            start += chunk
            if len(start) > _MAX_BODY:
                break
        response.stream.close()
        response.stream = _short(response, start)
    return response.read()


async def _read_start_async(response: httpx.Response) -> bytes:
    if not response.is_closed:
        start = bytearray()
        async for chunk in response.stream:
            start += chunk
            if len(start) > _MAX_BODY:
                break
        await response.stream.aclose()
        response.stream = _short(response, start)
    return await response.aread()


def _short(response: httpx.Response, start: bytearray) -> httpx.ByteStream:
    return httpx.ByteStream(b"" if len(start) > _MAX_BODY or "Content-Encoding" in response.headers else bytes(start))


def _may_be_refusal(response: httpx.Response, request: httpx.Request, statuses: tuple[int, ...] = (403,)) -> bool:
    # Every refusal of a device has a nonce, and the gateway takes that header out of an agent's answers: an agent, or where a redirect has led, could name
    # another device's request, for people to approve.
    # The gateway says how long its answers are. Of no other one is more read than the caller reads.
    length = response.headers.get("Content-Length", "")
    return (
        response.request is request
        and NONCE_HEADER in response.headers
        and response.status_code in statuses
        and response.headers.get("Content-Type", "").lower().startswith("application/problem+json")
        and "Content-Encoding" not in response.headers
        and length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= _MAX_BODY
    )


def _raise_refusal(response: httpx.Response) -> None:
    refusal: PairingRequired | None = refusal_of(response.content, response.headers.get("Retry-After"))
    if refusal is not None:
        raise refusal
