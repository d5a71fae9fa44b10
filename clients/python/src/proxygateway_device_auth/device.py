"""Proofs (docs/proof.md of the gateway), and to whom they may be sent."""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import time
import urllib.parse
from typing import Mapping, Sequence

from .errors import DeviceAuthError
from .keys import DeviceKey, base64_url

NONCE_PATH = "/.well-known/proxygateway/nonce"
HEADER = "Device-Proof"
NONCE_HEADER = "Device-Nonce"

_MAX_LENGTH = 4096
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NONCE = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_CHALLENGE = re.compile(r'Device-Proof\b.*\berror="use_dpop_nonce"', re.IGNORECASE)


class Device:
    """
    A device and the one gateway that it proves itself to. Threads and tasks may share it.

    `gateway` is the gateway's URL, of which the origin counts; `key` comes from `load_key_file`, `generate_key`, or is a signer (`DeviceKey`), whose `sign`
    runs in the caller's thread. `role` and `scopes` are what is asked for; without them the gateway's route decides. `client` is what the device says of
    itself: `id`, `displayName`, `version`, `platform`, `mode`. `invitation` is the secret of an invitation, by which the device needs no operator.
    """

    def __init__(
        self,
        gateway: str,
        key: DeviceKey,
        *,
        role: str | None = None,
        scopes: Sequence[str] | None = None,
        client: Mapping[str, str] | None = None,
        invitation: str | None = None,
    ) -> None:
        self._key = key
        self._claims: dict[str, object] = {
            **({} if role is None else {"role": role}),
            **({} if scopes is None else {"scope": " ".join(scopes)}),
            **({} if client is None else {"client": dict(client)}),
            **({} if invitation is None else {"invitation": invitation}),
        }
        try:
            url = urllib.parse.urlsplit(gateway)
            host, port = (url.hostname or "").encode("idna").decode("ascii"), url.port
        except ValueError:
            raise _unsafe(f"{gateway!r} is no URL") from None
        self.origin = _origin_of(url.scheme, host, port)
        self.nonce: str | None = None
        self.check(url.scheme, host, port, "@" in url.netloc)

    def __repr__(self) -> str:
        return f"<Device of {self.origin}>"

    def check(self, scheme: str, host: str, port: int | None, has_user: bool) -> None:
        """Raises DeviceAuthError unless a proof may be sent there: another server could hand the gateway's nonce on, and use the proof that it gets."""
        origin = _origin_of(scheme, host, port)
        if has_user:
            raise _unsafe("A URL with a user name or password gets no proof")
        if scheme.lower() not in ("https", "wss") and not _is_loopback(host):
            raise _unsafe(f"{origin} is another machine, and the connection is not encrypted: somebody on the way could use the proof. Use https or wss")
        if origin != self.origin:
            raise _unsafe(f"This device proves itself to {self.origin} alone, and not to {origin}")

    def keep_nonce(self, nonce: str | None) -> bool:
        """Keeps a nonce that the gateway has sent; false for what is none."""
        if not nonce or not _NONCE.fullmatch(nonce):
            return False
        self.nonce = nonce
        return True

    def prove(self, method: str, path: str, nonce: str | None) -> str:
        """A proof for one request: no two have the same `jti`. `path` is the path as it is sent, without the query."""
        header = {"typ": "dpop+jwt", "alg": self._key.algorithm, "jwk": _jwk_of(self._key)}
        claims = {
            "htm": method,
            "htu": self.origin + path,
            **({} if nonce is None else {"nonce": nonce}),
            "jti": secrets.token_urlsafe(16),
            "iat": int(time.time()),
            **self._claims,
        }
        signed = f"{_part(header)}.{_part(claims)}"
        signature = self._key.sign(signed.encode("ascii"))
        if len(signature) != 64:
            raise DeviceAuthError("key_unusable", f"The signature has {len(signature)} bytes instead of 64 (r and s, not DER)")
        proof = f"{signed}.{base64_url(signature)}"
        if len(proof) > _MAX_LENGTH:
            raise DeviceAuthError(
                "proof_impossible",
                f"The proof has {len(proof)} characters, and the gateway accepts {_MAX_LENGTH}: the URL, the scopes or the description is too long",
            )
        return proof


def asks_for_nonce(status: int, challenge: str | None) -> bool:
    """Whether an answer asks for another attempt with the nonce that it has."""
    return status == 401 and _CHALLENGE.match(challenge or "") is not None


def _part(value: object) -> str:
    return base64_url(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8"))


def _jwk_of(key: DeviceKey) -> dict[str, str]:
    raw = key.public_key
    if key.algorithm == "Ed25519" and len(raw) == 32:
        return {"kty": "OKP", "crv": "Ed25519", "x": base64_url(raw)}
    if key.algorithm == "ES256" and len(raw) == 65 and raw[0] == 4:
        return {"kty": "EC", "crv": "P-256", "x": base64_url(raw[1:33]), "y": base64_url(raw[33:])}
    raise DeviceAuthError("key_unusable", "The key is neither the 32 bytes of Ed25519 nor the 65 of ES256 (04, x, y)")


def _origin_of(scheme: str, host: str, port: int | None) -> str:
    scheme = {"ws": "http", "wss": "https"}.get(scheme.lower(), scheme.lower())
    if scheme not in _DEFAULT_PORTS or not host:
        raise _unsafe(f"A proof is sent to http and https alone, and not to {scheme}://{host}")
    address = _address_of(host)
    host = f"[{address.compressed}]" if isinstance(address, ipaddress.IPv6Address) else host.lower()
    return f"{scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}")


# Names below .localhost are left out: not every resolver keeps them on this machine. Of IPv6 only ::1 counts, and no mapped address.
def _is_loopback(host: str) -> bool:
    address = _address_of(host)
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_loopback
    return address == ipaddress.IPv6Address("::1") or host.lower() == "localhost"


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _unsafe(message: str) -> DeviceAuthError:
    return DeviceAuthError("unsafe_url", message)
