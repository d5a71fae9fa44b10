"""Waiting for an operator."""

from __future__ import annotations

import asyncio
import time
from typing import Awaitable, Callable, TypeVar

from .errors import PairingRequired

T = TypeVar("T")

_SHORTEST, _LONGEST = 1.0, 60.0  # seconds


class _Waiting:
    def __init__(self, on_waiting: Callable[[PairingRequired], object] | None, outlasting: tuple[type[BaseException], ...]) -> None:
        self._on_waiting = on_waiting
        self._outlasting = outlasting
        self._asked: tuple[str | None] | None = None

    def seconds_after(self, error: Exception) -> float | None:
        """How long to wait before the next attempt; none if there is none."""
        if isinstance(error, PairingRequired) and error.retryable:
            if self._asked != (error.request_id,) and self._on_waiting is not None:
                self._on_waiting(error)
            self._asked = (error.request_id,)
            return min(max(error.retry_after or 0.0, _SHORTEST), _LONGEST)
        return _SHORTEST if self._asked is not None and isinstance(error, self._outlasting) else None


def wait_until_paired(
    action: Callable[[], T],
    *,
    on_waiting: Callable[[PairingRequired], object] | None = None,
    outlasting: tuple[type[BaseException], ...] = (OSError,),
) -> T:
    """
    What `action` returns, which is called again while an operator has to let the device in: `wait_until_paired(lambda: client.get(url))`.

    `on_waiting` hears of each request that waits; show its text. Once it waits, it also goes on after the exceptions in `outlasting`: name
    `httpx.TransportError` there, to outlast a restart of the gateway. Every other exception ends it, also PairingRequired if an operator has decided against
    the device.
    """
    waiting = _Waiting(on_waiting, outlasting)
    while True:
        try:
            return action()
        except Exception as error:
            seconds = waiting.seconds_after(error)
            if seconds is None:
                raise
        time.sleep(seconds)


async def wait_until_paired_async(
    action: Callable[[], Awaitable[T]],
    *,
    on_waiting: Callable[[PairingRequired], object] | None = None,
    outlasting: tuple[type[BaseException], ...] = (OSError, asyncio.TimeoutError),
) -> T:
    """As `wait_until_paired`, for an `action` that is awaited: `await wait_until_paired_async(lambda: client.get(url))`. Cancel it to end it."""
    waiting = _Waiting(on_waiting, outlasting)
    while True:
        try:
            return await action()
        except Exception as error:
            seconds = waiting.seconds_after(error)
            if seconds is None:
                raise
        await asyncio.sleep(seconds)
