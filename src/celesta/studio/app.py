"""The web application: routes, the page's files, events, uploads."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from celesta.errors import CelestaError
from celesta.studio import api_compare, api_jobs, api_library, api_song, api_vary, warned
from celesta.studio.answers import EntryInfo
from celesta.studio.endpoints import Endpoint, openapi, problem, routes
from celesta.studio.guard import Guard
from celesta.studio.schema import UploadRequest
from celesta.studio.settings import Settings
from celesta.studio.studio import Studio

STATIC = Path(__file__).with_name("static")
ENDPOINTS: tuple[Endpoint, ...] = (
    *api_jobs.ENDPOINTS,
    *api_song.ENDPOINTS,
    *api_compare.ENDPOINTS,
    *api_vary.ENDPOINTS,
    *api_library.ENDPOINTS,
)
"""All requests with JSON or query strings."""
PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Paths of the page's files."""
_MOST_PAGES = 100  # event streams at once


def create_app(settings: Settings) -> Starlette:
    """Create the studio's ASGI application; its state is made and closed with its lifespan.

    Args:
        settings: what to serve, and to whom.

    Raises:
        UsageError: a source does not exist.
        LibraryError: the library cannot be opened.

    Example:
        >>> app = create_app(Settings((Path("music"),)))
        >>> "/api/openapi.json" in [route.path for route in app.routes]
        True
        >>> app.state.studio.close()
    """
    studio = Studio(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        studio.hub.start()
        with warned.installed():
            yield
            await run_in_threadpool(studio.close)

    async def events(http: Request) -> Response:
        if studio.hub.pages >= _MOST_PAGES:
            return problem(503, f"{_MOST_PAGES} pages are open already; close some")
        return StreamingResponse(studio.hub.stream(), media_type="text/event-stream")

    async def upload(http: Request) -> Response:
        try:
            request = msgspec.convert(dict(http.query_params), UploadRequest)
            path = await run_in_threadpool(api_jobs.upload_path, studio, request.name)
            await _store(http, path)
            ref = await run_in_threadpool(api_jobs.check_upload, studio, path, request.name)
        except msgspec.ValidationError as error:
            return problem(422, f"upload: {error}")
        except CelestaError as error:
            return problem(422, str(error))
        return Response(msgspec.json.encode(EntryInfo(ref, path.name, False)), media_type="application/json")

    async def description(http: Request) -> Response:
        return JSONResponse(openapi(ENDPOINTS))

    made = Starlette(
        routes=[
            *routes(ENDPOINTS, studio),
            Route("/api/events", events),
            Route("/api/upload", upload, methods=["PUT"]),
            Route("/api/openapi.json", description),
            *(Route(path, _static) for path in PAGE),
            Route("/api/{rest:path}", _unknown, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        lifespan=lifespan,
    )
    made.state.studio = studio
    return made


async def _static(http: Request) -> Response:
    name, kind = PAGE[http.url.path]
    return FileResponse(STATIC / name, media_type=kind, headers={"cache-control": "no-cache"})


async def _unknown(http: Request) -> Response:
    return problem(404, "there is no such request; reload the page")


async def _store(http: Request, path: Path) -> None:
    """Write a body to a file piece by piece; what was written is deleted where the body is refused."""
    try:
        async with await anyio.open_file(path, "xb") as file:
            async for piece in http.stream():
                await file.write(piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
