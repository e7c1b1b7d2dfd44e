"""Turn functions with typed requests and responses into routes, and describe them as OpenAPI."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from celesta._version import __version__
from celesta.errors import CelestaError, MissingExtraError, UsageError
from celesta.studio.answers import Problem
from celesta.studio.folders import NotServedError
from celesta.studio.guard import RefusedBody
from celesta.studio.schema import finite

if TYPE_CHECKING:
    from celesta.studio.studio import Studio

BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Endpoint:
    """One request that the page can make.

    Attributes:
        method: ``GET`` with a query string, or ``POST`` or ``DELETE`` with JSON.
        path: below ``/api``.
        request: type of the request.
        response: type of the response; None: bytes.
        handler: takes the studio and the request, in a thread; returns the response or a Starlette response.
        raw: whether the handler takes the HTTP request too, as its third argument.
    """

    method: str
    path: str
    request: type[msgspec.Struct]
    response: type[msgspec.Struct] | None
    handler: Callable[..., Any]
    raw: bool = False


class NotFoundError(CelestaError):
    """A job, render or song does not exist, or not any more."""


def routes(endpoints: Sequence[Endpoint], studio: Studio) -> list[Route]:
    """Make the routes of endpoints."""
    return [Route(f"/api{one.path}", _handled(one, studio), methods=[one.method]) for one in endpoints]


def problem(status: int, text: str) -> Response:
    """Return an error as JSON."""
    return Response(msgspec.json.encode(Problem(text)), status, media_type="application/json")


def _handled(endpoint: Endpoint, studio: Studio) -> Callable[[Request], Any]:
    async def handle(http: Request) -> Response:
        try:
            request = await _parsed(endpoint, http)
            arguments = (studio, request, http) if endpoint.raw else (studio, request)
            made = await run_in_threadpool(endpoint.handler, *arguments)
        except (RefusedBody, MemoryError):
            raise
        except msgspec.ValidationError as error:
            return problem(422, f"{endpoint.path.strip('/')}: {error}")
        except msgspec.DecodeError as error:
            return problem(400, f"the body is not JSON ({error})")
        except (NotFoundError, NotServedError) as error:
            return problem(404, str(error))
        except UsageError as error:
            return problem(422, str(error))
        except MissingExtraError as error:
            return problem(501, str(error))
        except CelestaError as error:
            return problem(409, str(error))
        except OSError as error:
            return problem(
                409, f"{error.filename or 'a file'}: {error.strerror or error}; was it moved or is the disk full?"
            )
        except Exception as error:  # a fault of ours: the terminal shows where
            traceback.print_exc()
            return problem(500, f"an internal error ({type(error).__name__}); the terminal says more")
        if isinstance(made, Response):
            return made
        return Response(msgspec.json.encode(made), media_type="application/json")

    return handle


async def _parsed(endpoint: Endpoint, http: Request) -> msgspec.Struct:
    """Read a request of its type.

    Raises:
        msgspec.MsgspecError: it is not one.
    """
    if endpoint.method == "GET" or endpoint.raw:
        given = dict(http.query_params)
        found: msgspec.Struct = msgspec.convert(given, endpoint.request, strict=False)
    else:
        found = msgspec.json.decode(await http.body() or b"{}", type=endpoint.request)
    if not finite(found):
        raise msgspec.ValidationError("numbers must be finite")
    return found


def openapi(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Describe endpoints as an OpenAPI 3.1 document."""
    types = [t for one in endpoints for t in (one.request, one.response) if t is not None] + [Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = {}
    for one in endpoints:
        operation: dict[str, Any] = {
            "operationId": f"{one.method.lower()}_{one.path.strip('/').replace('/', '_')}",
            "summary": (one.request.__doc__ or "").split("\n")[0],
            "responses": _responses(one, by_type),
        }
        if one.method == "GET" or one.raw:
            operation["parameters"] = _parameters(components[one.request.__name__])
        else:
            operation["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": by_type[one.request]}},
            }
        paths.setdefault(f"/api{one.path}", {})[one.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Celesta studio", "version": __version__},
        "paths": paths,
        "components": {"schemas": components},
    }


def _responses(one: Endpoint, by_type: dict[Any, Any]) -> dict[str, Any]:
    content = {BINARY: {}} if one.response is None else {"application/json": {"schema": by_type[one.response]}}
    failed = {"description": "What went wrong.", "content": {"application/json": {"schema": by_type[Problem]}}}
    good = {"description": "Done.", "content": content}
    return {"200": good, "4XX": failed, "501": failed, **({"206": good, "416": failed} if one.raw else {})}


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    needed = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": about}
        for name, about in schema["properties"].items()
    ]
