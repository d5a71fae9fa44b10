"""For httpx."""

from __future__ import annotations

import urllib.request
from typing import AsyncGenerator, Generator

import httpx

from .device import HEADER, NONCE_HEADER, NONCE_PATH, Device, asks_for_nonce
from .errors import DeviceAuthError, PairingRequired, refusal_of

_MAX_BODY = 64 * 1024

_Flow = Generator[httpx.Request, httpx.Response, httpx.Response]


class DeviceAuth(httpx.Auth):
    """
    Adds a proof to each request: `httpx.Client(auth=DeviceAuth(device))`, also for `AsyncClient`, and for as many clients as there are.

    A request may raise PairingRequired, if an operator has to let the device in, and DeviceAuthError, if the URL may not get a proof. If the nonce was too
    old, the request is made once more, and only once. A body that is not in memory (a generator, a file) is sent once: a nonce is fetched before it.

    `trust_env` is to be what it is for the client: a proxy that the environment names must not see a proof for plain HTTP on loopback.
    """

    def __init__(self, device: Device, *, trust_env: bool = True) -> None:
        self._device = device
        self._trust_env = trust_env

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield from self._flow(request)
        if _may_be_refusal(response):
            response.read()
            _raise_refusal(response)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        flow = self._flow(request)
        outgoing = next(flow)
        while True:
            response = yield outgoing
            try:
                outgoing = flow.send(response)
            except StopIteration as end:
                response = end.value
                break
        if _may_be_refusal(response):
            await response.aread()
            _raise_refusal(response)

    def _flow(self, request: httpx.Request) -> _Flow:
        self._check(request.url)
        is_sent_once = not isinstance(request.stream, httpx.ByteStream)
        if is_sent_once:
            yield from self._renew_nonce(request)
        response = yield self._prove(request)
        if not self._keep_nonce(request, response) or is_sent_once or not asks_for_nonce(response.status_code, response.headers.get("WWW-Authenticate")):
            return response
        response = yield self._prove(request)
        self._keep_nonce(request, response)
        return response

    def _renew_nonce(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        asking = httpx.Request("GET", request.url.copy_with(raw_path=NONCE_PATH.encode("ascii"), fragment=None), extensions=request.extensions)
        answer = yield asking
        if answer.status_code != 200 or not self._keep_nonce(asking, answer):
            raise DeviceAuthError("nonce_unavailable", f"{self._device.origin} gives no nonce: it answers {answer.status_code}")

    def _prove(self, request: httpx.Request) -> httpx.Request:
        # The path as httpx sends it.
        path = request.url.raw_path.partition(b"?")[0].decode("ascii")
        request.headers = _ProvenHeaders(request.headers, self._device.prove(request.method, path, self._device.nonce))
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
    Headers with a proof that is sent, but not copied: a client that follows redirects copies the headers to wherever one leads. It is not printed either.
    """

    def __init__(self, headers: httpx.Headers, proof: str) -> None:
        super().__init__(headers)
        self.pop(HEADER, None)
        self._proof = proof

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        proof = getattr(self, "_proof", None)
        return super().raw + ([] if proof is None else [(HEADER.encode("ascii"), proof.encode("ascii"))])


def _may_be_refusal(response: httpx.Response) -> bool:
    # The gateway says how long its answers are. Of no other one is more read than the caller reads.
    length = response.headers.get("Content-Length", "")
    return (
        response.status_code == 403
        and response.headers.get("Content-Type", "").lower().startswith("application/problem+json")
        and length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= _MAX_BODY
    )


def _raise_refusal(response: httpx.Response) -> None:
    refusal: PairingRequired | None = refusal_of(response.content, response.headers.get("Retry-After"))
    if refusal is not None:
        raise refusal
