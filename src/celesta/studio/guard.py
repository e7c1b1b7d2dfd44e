"""Refuse requests that do not come from the studio's own page: host, origin, token, size and speed of the body."""

from __future__ import annotations

import asyncio
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from celesta.studio.settings import Settings, split_host

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""Headers of every response; a response's own values win."""
UPLOAD = "/api/upload"


class RefusedBody(Exception):
    """A body is too large or too slow.

    Args:
        status: of the response.
        text: what to say.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Guard:
    """ASGI middleware that every request passes.

    Args:
        app: the application.
        settings: of the studio.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        port = (scope.get("server") or ("", 0))[1] or 0
        refused = self._refusal(scope, headers, port)
        if refused is not None:
            refused.headers.update(HEADERS)
            await refused(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = {name.lower() for name, _ in message["headers"]}
                extra = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in own]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        limit = self.settings.limits.upload if scope["path"] == UPLOAD else self.settings.limits.body
        try:
            declared = headers.get("content-length", "0")
            if declared.isdigit() and int(declared) > limit:
                raise RefusedBody(413, _too_large(limit))
            await self.app(scope, self._limited(receive, limit, scope["path"] == UPLOAD), sending)
        except RefusedBody as error:
            if started:
                raise
            response = JSONResponse({"error": error.text}, error.status, {"connection": "close"})
            await response(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: dict[str, str], port: int) -> Response | None:
        """Return the response to a request that is not allowed, or None."""
        if not self.settings.host_allowed(headers.get("host", ""), port):
            return _error(421, "this server has another name; open the address that the terminal shows")
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site", "same-origin")
        navigation = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET" and scope["path"] == "/"
        if origin is not None and not _same_origin(origin, headers["host"]):
            return _error(403, "requests from other pages are refused")
        if site not in ("same-origin", "none") and not navigation:
            return _error(403, "requests from other pages are refused")
        if scope["path"] == "/" and scope["method"] == "GET":
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if given and self._right(given):
                response = RedirectResponse("/", 303)
                response.set_cookie(self._cookie(port), self.settings.token, httponly=True, samesite="strict", path="/")
                return response
        if not self._right(self._token(headers, port)):
            text = "this page needs the token: open the whole address that `celesta studio` printed in the terminal"
            return (
                _error(401, text) if scope["path"].startswith("/api/") else Response(text, 401, media_type="text/plain")
            )
        return None

    def _token(self, headers: dict[str, str], port: int) -> str:
        """Return the token of a request: a bearer's, or the cookie's."""
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return bearer.strip()
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(headers.get("cookie", ""))
        except CookieError:
            return ""
        found = jar.get(self._cookie(port))
        return found.value if found else ""

    def _right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.settings.token.encode())

    @staticmethod
    def _cookie(port: int) -> str:
        return f"celesta_studio_{port}"  # browsers do not keep the cookies of two ports apart

    def _limited(self, receive: Receive, limit: int, upload: bool) -> Receive:
        """Wrap the reception of a body: it may be neither larger nor slower than the limits."""
        limits, loop = self.settings.limits, asyncio.get_running_loop()
        size, complete = 0, False
        end = loop.time() + limits.body_seconds

        async def limited() -> Message:
            nonlocal size, complete
            if complete:
                return await receive()  # waits for the client to go away
            wait = limits.idle_seconds if upload else min(limits.idle_seconds, end - loop.time())
            try:
                message: dict[str, Any] = dict(await asyncio.wait_for(receive(), max(wait, 0.001)))
            except TimeoutError:
                raise RefusedBody(408, "the body of the request came too slowly") from None
            size += len(message.get("body", b""))
            if size > limit:
                raise RefusedBody(413, _too_large(limit))
            complete = not message.get("more_body", False)
            return message

        return limited


def _same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and split_host(parts.netloc) == split_host(host)


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)


def _too_large(limit: int) -> str:
    return f"the body is larger than {limit} bytes"
