"""HTTP connections that do not wait for ever for the head of a request."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol(header_seconds: float) -> type[H11Protocol]:
    """Return uvicorn's protocol for HTTP/1.1 with a time limit for the head of each request.

    uvicorn limits only the time between requests: a client that sends a head byte by byte would hold its connection.

    Args:
        header_seconds: from the first byte, or from the opening of the connection, to the end of the head.
    """

    class TimedProtocol(H11Protocol):
        _head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._arm()

        def data_received(self, data: bytes) -> None:
            self._arm()
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:  # the head is complete
                self._disarm()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def _arm(self) -> None:
            if self._head is None and self.conn.their_state is h11.IDLE:
                self._head = self.loop.call_later(header_seconds, self._too_slow)

        def _disarm(self) -> None:
            if self._head is not None:
                self._head.cancel()
                self._head = None

        def _too_slow(self) -> None:
            self._head = None
            if self.conn.their_state is h11.IDLE:
                self.transport.close()

    return TimedProtocol
