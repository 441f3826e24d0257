"""Connections: aiohttp's, that answer hits at once, and their own errors in our form."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from service.api import answers, boundary
from service.api.resources import SHORTCUT
from service.errors import Problem

if TYPE_CHECKING:
    from service.api.resources import Shortcut

logger = logging.getLogger(__name__)


class Runner(web.AppRunner):
    """Serves an application, past aiohttp's handling of requests where there is a shorter way."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(
            server.request_handler,
            request_factory=server.request_factory,
            loop=server._loop,
            shortcut=self.app[SHORTCUT],
            # A compressed body is refused, by us: nothing is spent on it, whatever it holds.
            **{**server._kwargs, "auto_decompress": False},
        )


class _Server(web.Server):
    def __init__(self, *arguments: object, shortcut: Shortcut, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self._shortcut = shortcut

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._shortcut, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ("_shortcut",)

    def __init__(self, server: _Server, shortcut: Shortcut, **options: object) -> None:
        super().__init__(server, **options)  # type: ignore[arg-type]
        self._shortcut = shortcut

    def data_received(self, data: bytes) -> None:
        """Answers a request at once if there is a short answer, and nothing is before it.

        `_waiter` is what aiohttp's own task waits for between requests; it is put aside until
        it is known whether there is one for it.
        """
        idle, self._waiter = self._waiter, None
        try:
            super().data_received(data)
        finally:
            self._waiter = idle
        if idle is None or idle.done() or not self._messages:
            return
        if not self._answer_at_once():
            idle.set_result(None)

    def _answer_at_once(self) -> bool:
        request, body = self._messages[0]
        transport, parser = self.transport, self._parser
        if (
            len(self._messages) > 1
            or not isinstance(request, RawRequestMessage)  # the parser's error
            or body is not EMPTY_PAYLOAD
            or transport is None
            or parser is None
            or self.writing_paused
        ):
            return False
        answer = self._shortcut(request)
        if answer is None:
            return False
        self._messages.clear()
        parser.message_consumed()
        transport.write(answer)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

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
        request_id = boundary.new_request_id()
        if status >= 500:
            response = boundary.defect(exc, request_id)
        else:
            logger.debug("not HTTP", extra={"exception": type(exc).__name__})
            response = answers.problem(Problem("request_malformed"))
        response.headers[boundary.REQUEST_ID] = request_id
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Replaces a page that was raised before any middleware (a bad Expect header)."""
        if isinstance(resp, web.HTTPException):
            request_id = boundary.new_request_id()
            resp = boundary.page(resp, request_id)
            resp.headers[boundary.REQUEST_ID] = request_id
        return await super().finish_response(request, resp, start_time)
