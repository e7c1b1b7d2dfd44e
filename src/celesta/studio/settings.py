"""What a studio serves, to whom, and its limits."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

from celesta.errors import UsageError

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Sizes and times beyond which a request is refused.

    Attributes:
        body: bytes of a request's body.
        upload: bytes of an uploaded file.
        body_seconds: longest time for a body, uploads excepted.
        idle_seconds: longest time between two pieces of a body.
        header_seconds: longest time for the head of a request.
        connections: open at once.
        selection: seconds of audio that are compared or previewed at once.

    Example:
        >>> Limits(selection=30.0).selection
        30.0
    """

    body: int = MEGABYTE
    upload: int = 512 * MEGABYTE
    body_seconds: float = 30.0
    idle_seconds: float = 10.0
    header_seconds: float = 10.0
    connections: int = 200
    selection: float = 60.0


@dataclass(frozen=True)
class Settings:
    """Configuration of a studio.

    Attributes:
        sources: folders and audio files to serve; nothing else is read.
        library: library file; None: without one.
        host: address to bind.
        port: to bind; 0: any that is free.
        allow_remote: whether other machines may connect.
        token: secret that a browser must know.
        limits: see :class:`Limits`.
        cache: folder of cached waveforms; None: in the user's cache folder.

    Raises:
        UsageError: the host is not this machine, and remote access is not allowed.

    Example:
        >>> settings = Settings((Path("music"),))
        >>> settings.host_allowed("localhost:8000", 8000), settings.host_allowed("example.org:8000", 8000)
        (True, False)
    """

    sources: tuple[Path, ...]
    library: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    allow_remote: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    limits: Limits = Limits()
    cache: Path | None = None

    def __post_init__(self) -> None:
        if not self.allow_remote and not is_loopback(self.host):
            raise UsageError(
                f"--host {self.host}: other machines could connect; add --allow-remote, or leave --host out"
            )

    def host_allowed(self, header: str, port: int) -> bool:
        """Return whether a ``Host`` header names this server: a loopback name, or any address where remote is allowed.

        A name that an attacker's DNS server gives for this address is refused.

        Args:
            header: value of the ``Host`` header.
            port: at which the studio listens.
        """
        name, given = split_host(header)
        if given not in (port, None) or (given is None and port not in (80, 443)):
            return False
        if is_loopback(name):
            return True
        return self.allow_remote and (_is_address(name) or name in (self.host.lower(), socket.gethostname().lower()))


def split_host(header: str) -> tuple[str, int | None]:
    """Split a ``Host`` header into a name in lower case and a port; ``("", None)`` where it is malformed.

    Example:
        >>> split_host("LOCALHOST:80"), split_host("[::1]:8000"), split_host("a:b")
        (('localhost', 80), ('::1', 8000), ('', None))
    """
    text = header.strip().lower()
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return "", None
        rest = rest[1:]
    else:
        name, _, rest = text.partition(":")
    if rest and not (rest.isascii() and rest.isdigit() and len(rest) <= 5):
        return "", None
    return name, int(rest) if rest else None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its loopback name or address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
