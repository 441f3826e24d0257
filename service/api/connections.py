"""Connections: aiohttp's, that answer what is plain themselves, and their errors in our form.

They know private names of web.RequestHandler: pyproject.toml holds aiohttp to one minor version.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from service.api import answers, boundary
from service.api.json_bodies import BODY_LIMIT
from service.api.logs import access_logger
from service.api.resources import METRICS, SHORTCUTS
from service.errors import Problem

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from aiohttp import StreamReader

    from service.api.resources import Shortcuts
    from service.metrics.memory import Region

logger = logging.getLogger(__name__)


class Runner(web.AppRunner):
    """Serves an application, past aiohttp's handling of requests where there is a shorter way.

    How many connections it has is told where the application counts.
    """

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(
            server.request_handler,
            request_factory=server.request_factory,
            loop=server._loop,
            shortcuts=self.app[SHORTCUTS],
            region=self.app[METRICS].region,
            **server._kwargs,
        )


class _Server(web.Server):
    def __init__(
        self, *arguments: object, shortcuts: Shortcuts, region: Region, **options: object
    ) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self._open = 0
        self._region = region
        self._shortcuts = shortcuts

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._shortcuts, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._count(1)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        super().connection_lost(handler, exc)  # which knows it until its task has ended
        self._count(-1)

    def _count(self, more: int) -> None:
        self._open += more
        self._region.tell_connections(self._open)


class _BrokenOffError(web.RequestPayloadError, TimeoutError):
    """What reading the rest of the body meets: a handler, as a mistake of the client's; aiohttp,
    when it reads on behind an answer, as the end of its patience, or it would log a defect."""


class _Connection(web.RequestHandler):
    """Answers keep the order of their requests: what is answered without aiohttp's task is so while
    that has none, and only then. It waits for the next one at `_waiter`, or is about to.
    """

    __slots__ = ("_answering", "_last_content", "_left_to_aiohttp", "_shortcuts")

    def __init__(self, server: _Server, shortcuts: Shortcuts, **options: object) -> None:
        super().__init__(server, **options)  # type: ignore[arg-type]
        self._answering: asyncio.Task[None] | None = None
        self._left_to_aiohttp = 0  # requests that it has not answered yet
        self._last_content: StreamReader = EMPTY_PAYLOAD  # of the last of them
        self._shortcuts = shortcuts

    def data_received(self, data: bytes) -> None:
        """Answers a request at once if there is a short answer, and nothing is before it."""
        before = len(self._messages)
        waiter, self._waiter = self._waiter, None  # not to be woken before that is known
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        came = len(self._messages) - before
        if came and not isinstance(self._messages[-1][0], RawRequestMessage):
            self._break_off()
        if came == 1 and not self._left_to_aiohttp and self._answer_at_once(data):
            return
        if came:
            self._left_to_aiohttp += came
            self._last_content = self._messages[-1][1]
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def _answer_at_once(self, data: bytes) -> bool:
        request, content = self._messages[0]
        if (
            not isinstance(request, RawRequestMessage)  # the parser's error
            or request.version != HttpVersion11
            or request.should_close
            or request.upgrade
            or hdrs.EXPECT in request.headers
            or self.writing_paused
            # A line of this log tells the route, so with those every request is routed.
            or access_logger.isEnabledFor(logging.DEBUG)
        ):
            return False
        if content is EMPTY_PAYLOAD:
            answer = self._shortcuts.without_body(request)
            if answer is None:
                return False
            self._take()
            self._send(answer)
            return True
        body = _whole_body(request, data)
        answering = None if body is None else self._shortcuts.with_body(request, body)
        if answering is None:
            return False
        self._take()
        self._request_in_progress = True
        self._answering = self._loop.create_task(self._finish(answering))
        self._pause_reading_for_buffer()  # what comes meanwhile waits
        return True

    def _break_off(self) -> None:
        """What came is not HTTP: of the body that it should have gone on with, no more comes."""
        content = self._last_content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(_BrokenOffError())
            self._lingering_time = 0.0  # nothing that is sent from now on is read

    def _take(self) -> None:
        self._messages.clear()
        if self._parser is not None:
            self._parser.message_consumed()

    def _send(self, answer: bytes) -> None:
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self.transport is not None:  # else the client is gone
            self.transport.write(answer)

    async def _finish(self, answering: Coroutine[None, None, bytes]) -> None:
        """Sends what was worked on, and lets aiohttp go on where it was."""
        try:
            self._send(await answering)
        except BaseException:
            self.force_close()  # whoever asks again with the key is told
            raise
        finally:
            self._answering = None
            self._request_in_progress = False
            if self._handler_waiter is not None and not self._handler_waiter.done():
                self._handler_waiter.set_result(None)
        if self._close:
            self.force_close()
        elif self.transport is not None:
            self._resume_reading_if_drained()

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio looks at what it returns
        """A client that sends no more may still wait for what it asked; then that is the last."""
        if not self._left_to_aiohttp or not self._last_content.is_eof():
            return False  # nothing is asked, or only the half of it
        self._close = True
        return True

    def _process_keepalive(self) -> None:
        if self._answering is not None:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

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
            response = boundary.defect(exc, request_id).response()
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
        sent = await super().finish_response(request, resp, start_time)
        if resp.keep_alive:  # else nothing follows
            self._left_to_aiohttp -= 1
        return sent


def _whole_body(request: RawRequestMessage, data: bytes) -> bytes | None:
    """The body, if the whole of it came with its head, and nothing after it; else None.

    It stays where it is, for whoever reads it the ordinary way.
    """
    body = data[data.find(b"\r\n\r\n") + 4 :]
    if len(body) > BODY_LIMIT or str(len(body)) != request.headers.get(hdrs.CONTENT_LENGTH):
        return None
    return body
