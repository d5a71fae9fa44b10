"""Session tokens (docs/proof.md of the gateway)."""

from __future__ import annotations

import json
import re
import threading
import time

SESSION_PATH = "/.well-known/proxygateway/session"
SESSION_HEADER = "Device-Session"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,16384}", re.ASCII)
_MAX_AGE = 270.0  # seconds; a gateway's tokens last five minutes
_CHATTY = 60.0  # with fewer requests a token costs more than it saves
_PAUSE = 60.0
_REFUSALS = ("invalid_session_token", "device_proof_required")


class SessionTokens:
    """
    Where session tokens take the place of proofs: worth it for a key that signs slowly. The gateway's routes there must allow them, and be of one audience.

    `path`: a token goes there and below it, and nowhere else. `audience` and `route` are names of the gateway's configuration; with `route` the token has that
    route's role and scopes. For one device; threads may share it.
    """

    def __init__(self, path: str = "/", *, audience: str = "default", route: str | None = None) -> None:
        self._path = path
        self._wanted = json.dumps({"audience": audience} if route is None else {"route": route}).encode("ascii")
        self._lock = threading.Lock()
        self._token: str | None = None
        self._since = 0.0
        self._last_use: float | None = None
        self._failed: float | None = None
        self._is_old = self._has_held = self._is_asking = False

    def __repr__(self) -> str:
        return f"<SessionTokens below {self._path}>"

    @property
    def wanted(self) -> bytes:
        """The body by which a token is asked for."""
        return self._wanted

    def covers(self, path: str) -> bool:
        """Whether a token may go to this path."""
        return path.startswith(self._path) and (len(path) == len(self._path) or self._path.endswith("/") or path[len(self._path)] == "/")

    def find(self) -> tuple[str | None, bool]:
        """The token, and whether to ask for another one; `keep` must follow then."""
        with self._lock:
            now = time.monotonic()
            if self._token is not None and now - self._since >= _MAX_AGE:
                self._token = None
            is_chatty = self._last_use is not None and now - self._last_use <= _CHATTY
            self._last_use = now
            has_failed = self._failed is not None and now - self._failed < _PAUSE
            asks = is_chatty and not self._is_asking and not has_failed and (self._token is None or self._is_old)
            self._is_asking |= asks
            return self._token, asks

    def keep(self, body: bytes | None) -> str | None:
        """Keeps the token of an answer, and returns the newest one; none: the gateway gave none."""
        try:
            token = json.loads(body or b"{}").get("token")
        except (ValueError, AttributeError, RecursionError):
            token = None
        with self._lock:
            self._is_asking = False
            if isinstance(token, str) and _TOKEN.fullmatch(token):
                self._token, self._since, self._is_old, self._has_held, self._failed = token, time.monotonic(), False, False, None
            else:
                self._failed = time.monotonic()
            return self._token

    def taken(self, token: str, is_old: bool) -> None:
        """The gateway has taken a token; `is_old`: it is past half its life, so that it is time for the next one."""
        with self._lock:
            if self._token == token:
                self._has_held = True
                self._is_old |= is_old

    def refused(self, token: str) -> None:
        """The gateway has refused a token. Where none ever held, the next one is not asked for at once."""
        with self._lock:
            if self._token == token:
                self._token = None
                if not self._has_held:
                    self._failed = time.monotonic()


def is_token_refusal(body: bytes) -> bool:
    """Whether the body of a 401 or 403 says that the session token of the request is not taken; no backend has heard of that request."""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(problem, dict) and problem.get("code") in _REFUSALS
