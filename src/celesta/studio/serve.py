"""Run a studio: bind the address, say where it is, open a browser."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from celesta.errors import UsageError
from celesta.studio.app import create_app
from celesta.studio.protocol import protocol
from celesta.studio.settings import Settings


def serve(settings: Settings, say: Callable[[str], None], *, browser: bool = True) -> None:
    """Serve a studio until Ctrl-C.

    Args:
        settings: what to serve, and to whom.
        say: called with the address, token included, when the studio can be opened.
        browser: whether to open it in a browser.

    Raises:
        UsageError: the address cannot be bound, or a source does not exist.
        LibraryError: the library cannot be opened.

    Example:
        >>> from pathlib import Path
        >>> serve(Settings((Path("music"),)), print)  # doctest: +SKIP
        http://127.0.0.1:40123/?token=...
    """

    def opened(url: str) -> None:
        say(url)
        if browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    StudioServer(settings).run(opened)


class StudioServer:
    """A studio and the server that serves it.

    Args:
        settings: what to serve, and to whom.

    Attributes:
        address: host and port.
        url: to open, with the token.

    Raises:
        UsageError: the address cannot be bound, or a source does not exist.
        LibraryError: the library cannot be opened.

    Example:
        >>> from pathlib import Path
        >>> import threading
        >>> server = StudioServer(Settings((Path("music"),)))
        >>> opened = []
        >>> server.run(lambda url: (opened.append(url), server.stop()))
        >>> opened == [server.url]
        True
    """

    def __init__(self, settings: Settings) -> None:
        self._listening = _bound(settings)
        try:
            app = create_app(settings)
        except BaseException:
            self._listening.close()
            raise
        self.address = _address(settings.host, self._listening.getsockname()[1])
        self.url = f"http://{self.address}/?token={settings.token}"
        limits = settings.limits
        config = uvicorn.Config(
            app,
            http=protocol(limits.header_seconds),
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=limits.connections,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=32 * 1024,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._server = uvicorn.Server(config)

    def run(self, opened: Callable[[str], None] = lambda url: None) -> None:
        """Serve until Ctrl-C or :meth:`stop`; ``opened`` is called with the address when it can be opened."""

        async def serving() -> None:
            task = asyncio.ensure_future(self._server.serve(sockets=[self._listening]))
            while not self._server.started and not task.done():
                await asyncio.sleep(0.01)
            if self._server.started:
                opened(self.url)
            await task

        with self._listening:
            asyncio.run(serving())

    def stop(self) -> None:
        """End :meth:`run`; called from any thread."""
        self._server.should_exit = True


def _bound(settings: Settings) -> socket.socket:
    """Return a socket that is bound to the address.

    Raises:
        UsageError: it cannot be.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family[0], socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(family[4])
        except BaseException:
            made.close()
            raise
        return made
    except OSError as error:
        where = _address(settings.host, settings.port)
        raise UsageError(f"{where}: cannot be bound ({error.strerror}); choose another --port or --host") from None


def _address(host: str, port: int) -> str:
    shown = (
        "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
    )
    return f"{shown}:{port}"
