"""Where requests come in and answers go out: nothing leaves that is not ours.

aiohttp answers some mistakes by itself, with pages that quote what was sent. Here they become
problem+json, and only their kind is logged.
"""

from __future__ import annotations

import itertools
import logging
import re
import secrets
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING

from aiohttp import web
from multidict import istr

from service.api import answers
from service.errors import Problem, describe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Middleware

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Counted = Callable[[web.Request, int, float], None]

logger = logging.getLogger(__name__)

REQUEST_ID = istr("X-Request-Id")
_REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")

_current_id: ContextVar[str] = ContextVar("request_id")

_process = secrets.token_hex(6)
_numbers = itertools.count(1)


def boundary(counted: Counted) -> Middleware:
    """Gives every request an id, and every exception an answer; tells `counted` of each."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began_at = perf_counter()
        response = await _answer(request, handler)
        counted(request, response.status, began_at)
        return response

    return middleware


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    asked_as = request_id(request.headers)
    _current_id.set(asked_as)
    try:
        response = await handler(request)
    except Problem as exc:
        response = answers.problem(exc)
    except web.HTTPException as exc:
        response = page(exc, asked_as)
    except ConnectionError:
        raise  # the client is gone
    except Exception as exc:  # noqa: BLE001 -- the last resort
        response = defect(exc, asked_as).response()
    if not response.prepared:
        response.headers[REQUEST_ID] = asked_as
    return response


def current_id() -> str:
    """The id of the request, for an answer that begins to go out before its handler has ended."""
    return _current_id.get()


def request_id(headers: Mapping[str, str]) -> str:
    """The one that the client gave, or a new one."""
    given = headers.get(REQUEST_ID)
    if given is None or not _REQUEST_ID_FORM.fullmatch(given):
        return new_request_id()
    return given


def new_request_id() -> str:
    """For a request that brought none."""
    return f"{_process}-{next(_numbers)}"


def defect(exc: BaseException | None, request_id: str) -> answers.Reply:
    """Logs where it happened, and not its text, which may quote keys or bodies."""
    place = describe(exc) if exc is not None else None
    logger.error("defect", extra={"request_id": request_id, "exception": place})
    return answers.refusal(Problem("internal_error"))


def page(exc: web.HTTPException, request_id: str) -> web.Response:
    """What aiohttp would have said, as problem+json."""
    match exc:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(exc.allowed_methods))
            return answers.problem(
                Problem("method_not_allowed", {"allowed": allowed}, headers={"Allow": allowed})
            )
        case web.HTTPRequestEntityTooLarge():
            return answers.problem(Problem("body_too_large"))
        case web.HTTPExpectationFailed():
            return answers.problem(Problem("expectation_failed"))
        case web.HTTPNotFound():
            return answers.problem(Problem("not_found"))
    return defect(exc, request_id).response()
