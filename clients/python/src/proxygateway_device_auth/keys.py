"""Keys of devices: in memory, in a file, or of a signer elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import stat
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from .errors import DeviceAuthError

_MAX_BYTES = 16 * 1024
_OTHERS = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_COORDINATE = 32  # bytes


class DeviceKey(Protocol):
    """A device's key. Implement it for a key that only signs: of a TPM, a keychain, an agent."""

    #: `Ed25519` or `ES256`.
    algorithm: str

    #: The raw public key: the 32 bytes of Ed25519, or the 65 bytes `04`, x, y of P-256.
    public_key: bytes

    def sign(self, data: bytes) -> bytes:
        """The signature: 64 bytes, also of ES256 (r and s, not DER)."""


def device_id_of(key: DeviceKey) -> str:
    """The device's id, as operators see it: the SHA-256 of the raw public key, in hexadecimal."""
    return hashlib.sha256(key.public_key).hexdigest()


def generate_key(algorithm: str = "Ed25519") -> DeviceKey:
    """A new key in memory: `Ed25519` or `ES256`."""
    return _generate(algorithm)


def load_key_file(path: str | os.PathLike[str], algorithm: str = "Ed25519") -> DeviceKey:
    """
    The key in the file, which is made if there is none: by this user alone to read. Any number of processes may do so at once, and get the same key. The file
    is that of the gateway's own commands and of `@proxygateway/device-auth` for Node, so that a device may be shared.

    Raises DeviceAuthError (`key_unusable`) if others than its owner can read, write or replace the file, or if it holds no device's key, and OSError if
    the file cannot be read or made.
    """
    path = os.fspath(path)
    content = _read(path)
    if content is None:
        _create(path, algorithm)
        content = _read(path)
        if content is None:
            raise _unusable(f"{path} is gone again")
    key = _parse(content)
    if key is None:
        raise _unusable(f"{path} holds no device's key; name another file, or move it away for a new one")
    return key


class _Ed25519Key:
    algorithm = "Ed25519"

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def _secret(self) -> bytes:
        return self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


class _P256Key:
    algorithm = "ES256"

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")

    def _secret(self) -> bytes:
        return self._key.private_numbers().private_value.to_bytes(_COORDINATE, "big")


def _generate(algorithm: str) -> _Ed25519Key | _P256Key:
    if algorithm == "Ed25519":
        return _Ed25519Key(Ed25519PrivateKey.generate())
    if algorithm == "ES256":
        return _P256Key(ec.generate_private_key(ec.SECP256R1()))
    raise ValueError("the algorithm must be Ed25519 or ES256")


def _create(path: str, algorithm: str) -> None:
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    key = _generate(algorithm)
    content = {
        "version": 1 if algorithm == "Ed25519" else 2,
        "deviceId": device_id_of(key),
        "publicKey": base64_url(key.public_key),
        "privateKey": base64_url(key._secret()),
    }
    if algorithm != "Ed25519":
        content["algorithm"] = algorithm
    draft = f"{path}.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A rename would replace the key that another process has made and already read.
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
    finally:
        os.unlink(draft)


def _read(path: str) -> bytes | None:
    try:
        # A pipe that somebody else put there must not block this process.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    try:
        # Of the open file: the path may lead to another one by now.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unusable(f"{path} is no regular file")
        if status.st_size > _MAX_BYTES:
            raise _unusable(f"{path} is longer than {_MAX_BYTES} bytes, so it holds no device's key")
        if hasattr(os, "geteuid"):
            if not _is_trusted(status.st_uid):
                raise _unusable(f"{path} belongs to another user")
            if status.st_mode & _OTHERS:
                raise _unusable(f"{path} can be read or written by others than its owner; run: chmod 600 {path}")
            _check_folder(os.path.dirname(os.path.abspath(path)))
        return os.read(descriptor, _MAX_BYTES)
    finally:
        os.close(descriptor)


def _check_folder(folder: str) -> None:
    status = os.stat(folder)
    if not _is_trusted(status.st_uid):
        raise _unusable(f"The folder {folder} belongs to another user, who can replace what is in it")
    if status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX:
        raise _unusable(f"In the folder {folder} others than its owner can replace files; run: chmod go-w {folder}")


def _is_trusted(user: int) -> bool:
    return user in (0, os.geteuid())


def _parse(content: bytes) -> _Ed25519Key | _P256Key | None:
    # No error is passed on: what the JSON reader says of a damaged file has the whole of it.
    try:
        file = json.loads(content)
        public_key, secret = _raw_of(file["publicKey"]), _raw_of(file["privateKey"])
        if len(secret) != _COORDINATE:
            return None
        version = (file["version"], file.get("algorithm"))
        if version == (1, None):
            key: _Ed25519Key | _P256Key = _Ed25519Key(Ed25519PrivateKey.from_private_bytes(secret))
        elif version == (2, "ES256"):
            key = _P256Key(ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()))
        else:
            return None
        return key if key.public_key == public_key else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def base64_url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _raw_of(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _unusable(message: str) -> DeviceAuthError:
    return DeviceAuthError("key_unusable", message)
