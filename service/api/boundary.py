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
from service.api.resources import SHORTCUT
from service.errors import Problem, describe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Middleware

    from service.api.resources import Shortcut

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    ServerHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
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
    asked_as = request_id(request)
    _current_id.set(asked_as)
    try:
        response = await handler(request)
    except Problem as exc:
        response = answers.problem(exc)
    except web.HTTPException as exc:
        response = _page(exc, asked_as)
    except ConnectionError:
        raise  # the client is gone
    except Exception as exc:  # noqa: BLE001 -- the last resort
        response = _defect(exc, asked_as)
    if not response.prepared:
        response.headers[REQUEST_ID] = asked_as
    return response


def current_id() -> str:
    """The id of the request, for an answer that begins to go out before its handler has ended."""
    return _current_id.get()


def request_id(request: web.BaseRequest) -> str:
    """The one that the client gave, or a new one."""
    given = request.headers.get(REQUEST_ID)
    if given is None or not _REQUEST_ID_FORM.fullmatch(given):
        return _new_request_id()
    return given


def _new_request_id() -> str:
    return f"{_process}-{next(_numbers)}"


def _defect(exc: BaseException | None, request_id: str) -> web.Response:
    """Logs where it happened, and not its text, which may quote keys or bodies."""
    place = describe(exc) if exc is not None else None
    logger.error("defect", extra={"request_id": request_id, "exception": place})
    return answers.problem(Problem("internal_error"))


def _page(exc: web.HTTPException, request_id: str) -> web.Response:
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
    return _defect(exc, request_id)


class Runner(web.AppRunner):
    """Serves an application, past its router where there is a shorter way.

    Its connections answer their own errors in our form.
    """

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(
            _shortened(self.app[SHORTCUT], server.request_handler),
            request_factory=server.request_factory,
            loop=server._loop,
            **server._kwargs,
        )


def _shortened(shortcut: Shortcut, handler: ServerHandler) -> ServerHandler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = shortcut(request)
        return await handler(request) if response is None else response

    return handle


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers what never reached a handler: a request that is not HTTP."""
        if isinstance(exc, ConnectionError) and self.transport is None:
            logger.debug("the client is gone")
            raise exc  # whom to answer? aiohttp ends the connection's task
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way: another one cannot follow")
        request_id = _new_request_id()
        if status >= 500:
            response = _defect(exc, request_id)
        else:
            logger.debug("not HTTP", extra={"exception": type(exc).__name__})
            response = answers.problem(Problem("request_malformed"))
        response.headers[REQUEST_ID] = request_id
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Replaces a page that was raised before any middleware (a bad Expect header)."""
        if isinstance(resp, web.HTTPException):
            request_id = _new_request_id()
            resp = _page(resp, request_id)
            resp.headers[REQUEST_ID] = request_id
        return await super().finish_response(request, resp, start_time)
