"""Proves a device to a ProxyGateway. `httpx_auth` and `websockets_client` use it with those libraries."""

from .device import Device
from .errors import DeviceAuthError, PairingRequired
from .keys import DeviceKey, device_id_of, generate_key, load_key_file
from .session import SessionTokens
from .waiting import wait_until_paired, wait_until_paired_async

__all__ = [
    "Device",
    "DeviceAuthError",
    "DeviceKey",
    "PairingRequired",
    "SessionTokens",
    "device_id_of",
    "generate_key",
    "load_key_file",
    "wait_until_paired",
    "wait_until_paired_async",
]
