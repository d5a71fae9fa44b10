"""Errors. None holds a key or a proof."""

from __future__ import annotations

import json
import re

# People paste the id behind a command.
_REQUEST_ID = re.compile(r"[0-9a-z]{26}", re.ASCII)
_CODES = ("pairing_required", "pairing_rejected", "device_blocked")
_REASONS = ("not-paired", "role-upgrade", "scope-upgrade")
_DEFAULT_RETRY_AFTER = 5.0  # seconds


class DeviceAuthError(Exception):
    """
    Why a request is not made: `code` for programs, the text for people.

    `unsafe_url`: another origin than the gateway's, plain HTTP beyond this machine, or a user name in the URL. `key_unusable`: the key or its file.
    `proof_impossible`: longer than the gateway accepts. `nonce_unavailable`: the gateway gives none. `redirected`: a WebSocket is answered with a redirect.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PairingRequired(DeviceAuthError):
    """The gateway does not let the device in: an operator has to decide (`pairing_required`), or has decided (`pairing_rejected`, `device_blocked`)."""

    def __init__(self, code: str, request_id: str | None = None, reason: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(code, _message_of(code, request_id))
        #: The id of the request that an operator can approve.
        self.request_id = request_id
        #: `not-paired`, `role-upgrade` or `scope-upgrade`.
        self.reason = reason
        #: Whether the same can succeed later, once an operator has decided.
        self.retryable = code == "pairing_required"
        #: After how many seconds to come again.
        self.retry_after = (_DEFAULT_RETRY_AFTER if retry_after is None else retry_after) if self.retryable else None


def refusal_of(body: bytes, retry_after: str | None) -> PairingRequired | None:
    """The refusal that the body of a 403 is; none if it is something else."""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(problem, dict) or problem.get("code") not in _CODES:
        return None
    request_id, reason = problem.get("requestId"), problem.get("reason")
    return PairingRequired(
        problem["code"],
        request_id if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id) else None,
        reason if reason in _REASONS else None,
        float(retry_after) if retry_after and re.fullmatch(r"[0-9]{1,6}", retry_after, re.ASCII) else None,
    )


def _message_of(code: str, request_id: str | None) -> str:
    # In words of its own: a backend could answer with the gateway's form and its own text, and people run what such a message tells them to.
    if code == "pairing_required":
        if request_id is None:
            return "This device is not let in any more, and has to ask again."
        return f"This device is not let in yet. An operator of the gateway can approve it: proxygateway requests approve {request_id}"
    if code == "pairing_rejected":
        return f"An operator of the gateway has rejected this device's request{f' {request_id}' if request_id else ''}."
    return "An operator of the gateway has blocked this device."
