"""For websockets, 10.4 and newer."""

from __future__ import annotations

from typing import Any, Generator, Mapping

from websockets.exceptions import InvalidHandshake
from websockets.uri import parse_uri

from .device import HEADER, NONCE_HEADER, Device, asks_for_nonce
from .errors import DeviceAuthError, refusal_of

_MAX_BODY = 64 * 1024
_REDIRECTS = (300, 301, 302, 303, 307, 308)


class _Refused(Exception):
    """An answer to an upgrade that is not 101."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


try:
    import websockets.asyncio.client as _library
    from websockets.exceptions import InvalidStatus

    class _Connect(_library.connect):
        def process_redirect(self, exc: Exception) -> Exception:
            return exc

    async def _open(uri: str, is_secure: bool, headers: Mapping[str, str], options: dict[str, Any]) -> Any:
        if not is_secure and "proxy" in (_library.connect.__init__.__kwdefaults__ or {}):
            options = {"proxy": None, **options}  # a proxy would see the proof
        try:
            return await _Connect(uri, additional_headers=headers, **options)
        except InvalidStatus as error:
            raise _Refused(error.response.status_code, error.response.headers, bytes(error.response.body or b"")) from error

except ImportError:
    import websockets.legacy.client as _legacy
    from websockets.exceptions import InvalidStatusCode

    class _Protocol(_legacy.WebSocketClientProtocol):
        # An answer's body names the pairing request, and this library drops it. It would also follow a redirect, with the proof.
        async def read_http_response(self) -> Any:
            status, headers = await super().read_http_response()
            if status == 101:
                return status, headers
            length = headers.get("Content-Length", "")
            body = await self.reader.readexactly(int(length)) if length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= _MAX_BODY else b""
            raise _Refused(status, headers, body) from InvalidStatusCode(status, headers)

    async def _open(uri: str, is_secure: bool, headers: Mapping[str, str], options: dict[str, Any]) -> Any:
        return await _legacy.connect(uri, extra_headers=headers, create_protocol=_Protocol, **options)


class connect:
    """
    As `websockets.connect`, with a proof: `async with connect(device, "wss://gate.example/agent") as socket`, or `socket = await connect(...)`.

    `headers` are more headers of the upgrade; other options are those of `websockets.connect`. If the nonce was too old, the upgrade is made once more, and
    only once. Raises PairingRequired, DeviceAuthError, and what `websockets.connect` raises. Redirects are not followed.
    """

    def __init__(self, device: Device, uri: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> None:
        self._device = device
        self._uri = uri
        self._headers = {name: value for name, value in (headers or {}).items() if name.lower() != HEADER.lower()}
        self._options = options
        self._socket: Any = None

    def __await__(self) -> Generator[Any, None, Any]:
        return self._connect().__await__()

    async def __aenter__(self) -> Any:
        self._socket = await self._connect()
        return self._socket

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def _connect(self) -> Any:
        device = self._device
        target = parse_uri(self._uri)  # what the library sends is what the proof names
        device.check("wss" if target.secure else "ws", target.host, target.port, target.username is not None)
        path = target.resource_name.partition("?")[0]
        for is_last in (False, True):
            try:
                return await _open(self._uri, target.secure, {**self._headers, HEADER: device.prove("GET", path, device.nonce)}, dict(self._options))
            except _Refused as error:
                refused = error
            has_nonce = device.keep_nonce(refused.headers.get(NONCE_HEADER))
            if is_last or not has_nonce or not asks_for_nonce(refused.status, refused.headers.get("WWW-Authenticate")):
                raise _error_of(refused, path) from None
        raise AssertionError("unreachable")


def _error_of(refused: _Refused, path: str) -> Exception:
    if refused.status in _REDIRECTS:
        return DeviceAuthError("redirected", f"{path} answers with a redirect, which is not followed: a proof is for one URL")
    # Every refusal of a device has a nonce, and the gateway takes that header out of an agent's answers.
    if refused.status == 403 and refused.headers.get(NONCE_HEADER) is not None and refused.headers.get("Content-Type", "").lower().startswith("application/problem+json"):
        refusal = refusal_of(refused.body[:_MAX_BODY], refused.headers.get("Retry-After"))
        if refusal is not None:
            return refusal
    cause = refused.__cause__
    return cause if isinstance(cause, InvalidHandshake) else refused
